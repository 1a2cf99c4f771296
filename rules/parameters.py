"""Parameters of templates: their types, and how a value that a person gave is read. A number stays a number."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal, get_args

from pydantic import BeforeValidator

from agent.core.durations import parse_duration
from agent.core.model import Priority
from agent.core.options import Options

ParameterType = Literal[
    "number", "integer", "boolean", "string", "name", "text", "point", "duration", "priority", "list", "any"
]
"""``name`` is part of an id; ``text`` is for people, by language or the same in both; ``point`` must exist."""

_NAME = re.compile(r"[A-Za-z0-9_.-]+")
_WORDS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


class ParameterOptions(Options):
    """One parameter of a template. Without a default it must be given; with ``default: null`` it may be left out."""

    type: ParameterType = "any"
    default: Any = None
    description: str = ""

    @property
    def required(self) -> bool:
        """Whether each use must give it."""
        return "default" not in self.model_fields_set


def _short(value: object) -> object:
    """Let ``tank: name`` stand for ``tank: {type: name}``."""
    return {"type": value} if isinstance(value, str) else value


Parameter = Annotated[
    ParameterOptions, BeforeValidator(_short, json_schema_input_type=ParameterType | ParameterOptions)
]


def read_value(kind: ParameterType, value: Any) -> Any:
    """Return ``value`` as its type has it. Raises ValueError that says what would be right."""
    return value if value is None else _READERS[kind](value)


def read_cell(kind: ParameterType, text: str) -> Any:
    """Return what a cell of a table means; an empty one is not given. Raises ValueError."""
    if kind in ("number", "integer", "boolean"):
        return read_value(kind, _plain(text))
    if kind == "list":
        return [part.strip() for part in text.split(";")]
    return read_value(kind, text)


def as_text(kind: ParameterType, value: Any, key: str) -> str:
    """Return what stands for a parameter within a longer text, at the key ``key``: zh, en, when …"""
    if isinstance(value, Mapping):
        return str(value.get(key, value.get("en", next(iter(value.values()), ""))))
    if isinstance(value, bool):
        return "true" if value else "false"
    if key == "when" and kind == "number":
        return repr(float(value))  # CEL does not mix whole numbers with others
    return f"{value:g}" if isinstance(value, float) else str(value)


def _plain(text: str) -> Any:
    """Return the number or truth that a cell holds, or its text for the reader to refuse."""
    if text.lower() in _WORDS and not text.isdigit():
        return _WORDS[text.lower()]
    try:
        return float(text) if not re.fullmatch(r"[+-]?\d+", text) else int(text)
    except ValueError:
        return text


def _number(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{value!r} is not a number")
    return value


def _integer(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"{value!r} is not a whole number")
    return value


def _boolean(value: Any) -> Any:
    if not isinstance(value, bool):
        raise ValueError(f"{value!r} is neither true nor false")
    return value


def _string(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError(f"{value!r} is not a text; put it in quotes")
    return str(value)


def _name(value: Any) -> str:
    text = _string(value)
    if not _NAME.fullmatch(text):
        raise ValueError(f"{text!r} cannot be part of an id; use letters, digits, _, - and . only")
    return text


def _text(value: Any) -> Any:
    if isinstance(value, dict) and value and set(value) <= {"en", "zh"}:
        return {language: _string(each) for language, each in value.items()}
    if isinstance(value, dict):
        raise ValueError("a text by language has the keys en and zh")
    return _string(value)


def _duration(value: Any) -> Any:
    parse_duration(value)
    return value


def _priority(value: Any) -> Any:
    if str(value) not in Priority.__members__:
        raise ValueError(f"{value!r} is not a priority; write P1 (most urgent), P2, P3 or P4")
    return str(value)


def _list(value: Any) -> Any:
    if not isinstance(value, list):
        raise ValueError(f"{value!r} is not a list; write it as [{value}]")
    return value


_READERS: Mapping[str, Callable[[Any], Any]] = {
    "number": _number,
    "integer": _integer,
    "boolean": _boolean,
    "string": _string,
    "name": _name,
    "text": _text,
    "point": _string,
    "duration": _duration,
    "priority": _priority,
    "list": _list,
    "any": lambda value: value,
}
assert set(_READERS) == set(get_args(ParameterType))
