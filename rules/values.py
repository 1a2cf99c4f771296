"""Values of states, bits and words: what can be compared, and what cannot and is therefore unknown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, StrictBool, StrictFloat, StrictInt, StrictStr

from agent.core.model import Value

State = StrictBool | StrictInt | StrictFloat | StrictStr
"""A value as a rule file writes it; 1 is not taken for true, nor 'on' for a text, before it is compared."""


def _listed(value: object) -> object:
    return value if isinstance(value, list | tuple) else [value]


States = Annotated[tuple[State, ...], BeforeValidator(_listed), Field(min_length=1)]
"""One value or a list of them."""


def is_one_of(value: Value, states: Sequence[Any]) -> bool | None:
    """Tell whether ``value`` is one of ``states``; None where it cannot be compared: a text is no number.

    A bool is the number 1 or 0, as PLCs have it.
    """
    if value is None or value != value:
        return None
    if value in states:
        return True
    text = isinstance(value, str)
    return False if any(isinstance(state, str) is text for state in states) else None


def whole(value: Value) -> int | None:
    """Return a number without a fraction as int, None for anything else."""
    if isinstance(value, float):
        return int(value) if value.is_integer() else None
    return int(value) if isinstance(value, int) else None


def in_words(states: Sequence[Any]) -> str:
    """Return ``FAULT or LOCAL``."""
    return " or ".join(str(state) for state in states)
