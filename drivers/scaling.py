"""Raw numbers to engineering values and back: value = raw × scale + offset. Pure."""

from __future__ import annotations

import math
from decimal import Decimal

from agent.core.model import Value


class Scaling:
    """Whole raw numbers come out with no more decimals than scale and offset have: 123 × 0.1 is 12.3."""

    def __init__(self, scale: float, offset: float) -> None:
        self._scale, self._offset = scale, offset
        self._is_identity = scale == 1.0 and offset == 0.0
        self._decimals = max(_decimals(scale), _decimals(offset))

    def apply(self, raw: int | float) -> int | float:
        """Return the engineering value. Raises ValueError for what is no number (NaN, infinity)."""
        if not math.isfinite(raw):
            raise ValueError(f"the device sent {raw}")
        if self._is_identity:
            return raw
        value = raw * self._scale + self._offset
        return round(value, self._decimals) if isinstance(raw, int) else value

    def invert(self, value: Value) -> int | float:
        """Return the raw number. Raises ValueError for what is no number."""
        if not isinstance(value, int | float) or not math.isfinite(value):
            raise ValueError(f"{value!r} is not a number")
        return value if self._is_identity else (value - self._offset) / self._scale


def to_switch(value: Value) -> bool:
    """Return what to write to a single bit. Raises ValueError unless it is true, false, 1 or 0."""
    if value not in (0, 1):
        raise ValueError(f"{value!r} is neither on nor off")
    return bool(value)


def _decimals(number: float) -> int:
    exponent = Decimal(repr(number)).as_tuple().exponent
    return max(-exponent, 0) if isinstance(exponent, int) else 0
