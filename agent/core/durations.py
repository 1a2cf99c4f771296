"""Durations as people write them: ``100ms``, ``2s``, ``5min``, ``8h``, ``7d``. Inside, always float seconds."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import BeforeValidator, StringConstraints, ValidationInfo

_UNITS_S = {"ms": 0.001, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_FORM = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|min|h|d)")


def parse_duration(text: object) -> float:
    """Return seconds. Raises ValueError that says what would be right; a bare number is refused but for 0."""
    if text == 0 and not isinstance(text, bool):
        return 0.0
    match = _FORM.fullmatch(text.strip()) if isinstance(text, str) else None
    if match is None:
        raise ValueError(f"{text!r} is not a duration; write a number with its unit, such as 100ms, 2s, 5min, 8h or 7d")
    return float(match[1]) * _UNITS_S[match[2]]


def format_duration(seconds: float) -> str:
    """Return the shortest form that ``parse_duration`` reads back: 0.1 → ``100ms``."""
    for unit in ("d", "h", "min", "s"):
        if seconds >= _UNITS_S[unit] and (seconds / _UNITS_S[unit]).is_integer():
            return f"{seconds / _UNITS_S[unit]:.0f}{unit}"
    return f"{seconds * 1000:g}ms" if seconds < 1 else f"{seconds:.3f}".rstrip("0").rstrip(".") + "s"


def _convert(value: object, info: ValidationInfo) -> float:
    """Code may pass seconds as a float; a file (validated with the context ``from_file``) must name the unit."""
    from_file = bool(info.context and info.context.get("from_file"))
    return value if isinstance(value, float) and not from_file else parse_duration(value)


_Written = Annotated[str, StringConstraints(pattern=rf"^\s*({_FORM.pattern})\s*$")] | Literal[0]
Duration = Annotated[float, BeforeValidator(_convert, json_schema_input_type=_Written)]
"""A pydantic field in seconds that a file writes with its unit."""
