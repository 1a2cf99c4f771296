"""What a scene remembers, as JSON data: a new model goes on where the one before it ended. Pure."""

from __future__ import annotations

import json
from typing import Any, Protocol

from pydantic import TypeAdapter, ValidationError

_ADAPTERS: dict[type[Any], TypeAdapter[Any]] = {}


class Remembers(Protocol):
    """Something that remembers nothing but ``state``, a dataclass of plain data; times are monotonic or watched."""

    state: Any


def plain(state: Any) -> Any:
    """Return a state as JSON data."""
    return _adapter(type(state)).dump_python(state, mode="json")


def restored(kind: type[Any], told: Any, where: str) -> Any:
    """Return the state that ``plain`` told of. Raises ValueError, with ``where``, for anything else."""
    try:
        json.dumps(told, allow_nan=False)  # a time that is no number is neither early nor late
        state = _adapter(kind).validate_python(told)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise ValueError(f"{'.'.join(map(str, (where, *first['loc'])))}: {first['msg']}") from error
    except (TypeError, ValueError) as error:
        raise ValueError(f"{where}: {error}") from error
    if plain(state) != told:  # a field more, or less, than this version has
        raise ValueError(f"{where}: it is of another version")
    return state


def _adapter(kind: type[Any]) -> TypeAdapter[Any]:
    if kind not in _ADAPTERS:
        _ADAPTERS[kind] = TypeAdapter(kind)
    return _ADAPTERS[kind]
