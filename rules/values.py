"""Values of states, bits and words: what can be compared, and what cannot and is therefore unknown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, StrictBool, StrictFloat, StrictInt, StrictStr

from agent.core.model import Value

State = StrictBool | StrictInt | StrictFloat | StrictStr
"""A value as a rule file writes it; 1 is not taken for true, nor 'on' for a text, before it is compared."""


_SWITCH = {"on": True, "yes": True, "true": True, "off": False, "no": False, "false": False}


def _listed(value: object) -> object:
    return value if isinstance(value, list | tuple) else [value]


States = Annotated[tuple[State, ...], BeforeValidator(_listed), Field(min_length=1)]
"""One value or a list of them."""


def _state(text: object) -> object:
    """Return what a key means: keys of a file are texts, whatever they look like."""
    if not isinstance(text, str):
        return text
    if text in ("true", "false"):
        return text == "true"
    for number in (int, float):
        try:
            return number(text)
        except ValueError:
            continue
    return text


StateKey = Annotated[State, BeforeValidator(_state)]
"""A value as the key of a mapping: true, false, a number, or else a word."""


def is_one_of(value: Value, states: Sequence[Any]) -> bool | None:
    """Tell whether ``value`` is one of ``states``; None where it cannot be compared: a text is no number.

    A bool is the number 1 or 0, as PLCs have it. YAML reads a bare ON or OFF as a bool; it is the word as well.
    """
    if value is None or value != value:
        return None
    word = _SWITCH.get(value.lower()) if isinstance(value, str) else None
    if value in states or (word is not None and any(state is word for state in states)):
        return True
    text = isinstance(value, str)
    kinds = {isinstance(state, str) for state in states}
    return False if text in kinds or (word is not None and any(isinstance(state, bool) for state in states)) else None


def whole(value: Value) -> int | None:
    """Return a number without a fraction as int, None for anything else."""
    if isinstance(value, float):
        return int(value) if value.is_integer() else None
    return int(value) if isinstance(value, int) else None


def in_words(states: Sequence[Any]) -> str:
    """Return ``FAULT or LOCAL``."""
    return " or ".join(str(state) for state in states)
