"""Raw numbers to engineering values and back: value = raw × scale + offset. Pure."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from decimal import Decimal

from agent.core.model import Value
from agent.core.options import PointOptions

_NOISE = 1e-6
"""By so much a number may miss a whole one that it stands for: 0.1 * 3 / 0.1 is 3.0000000000000004."""


class Scaling:
    """Whole raw numbers come out with no more decimals than scale and offset have: 123 × 0.1 is 12.3.

    A value beyond ``clamp`` is held at its end. With ``words`` a raw number becomes its word, and back.
    """

    def __init__(
        self,
        scale: float = 1.0,
        offset: float = 0.0,
        clamp: tuple[float, float] | None = None,
        words: Mapping[int, str] | None = None,
    ) -> None:
        self._scale, self._offset, self._clamp = scale, offset, clamp
        self._words = dict(words or {})
        self._numbers = {word: number for number, word in self._words.items()}
        self._is_linear = scale != 1.0 or offset != 0.0
        self._decimals = max(_decimals(scale), _decimals(offset))
        self.is_identity = not (self._is_linear or clamp or words)
        """Whether every finite raw number is its own engineering value."""

    @classmethod
    def of(cls, options: PointOptions) -> Scaling:
        """Return the scaling that a point's options ask for."""
        return cls(options.scale, options.offset, options.clamp, options.values)

    def apply(self, raw: int | float) -> int | float | str:
        """Return the engineering value. Raises ValueError for what is no number (NaN, infinity), or has no word."""
        if not math.isfinite(raw):
            raise ValueError(f"the device sent {raw}")
        if self.is_identity:
            return raw
        if self._words:
            return self._word(raw)
        value = self._linear(raw) if self._is_linear else raw
        return value if self._clamp is None else min(max(value, self._clamp[0]), self._clamp[1])

    def invert(self, value: Value) -> int | float:
        """Return the raw number. Raises ValueError for what is no number, has no word, or lies beyond the clamp."""
        if self._words and value in self._numbers:
            return self._numbers[str(value)]
        if not isinstance(value, int | float) or not math.isfinite(value):
            known = f"; write one of {', '.join(self._numbers)}" if self._numbers else ""
            raise ValueError(f"{value!r} is not a number{known}")
        if self._clamp is not None and not self._clamp[0] <= value <= self._clamp[1]:
            raise ValueError(f"{value!r} is not between {self._clamp[0]:g} and {self._clamp[1]:g}")
        raw = (value - self._offset) / self._scale if self._is_linear else value
        if not math.isfinite(raw):
            raise ValueError(f"{value!r} is beyond what 'scale' lets pass")
        return raw

    def invert_whole(self, value: Value) -> int:
        """Return the whole raw number. Raises ValueError as ``invert`` does, and for what would have to be rounded."""
        raw = self.invert(value)
        nearest = round(raw)
        if abs(raw - nearest) > max(_NOISE, self._doubt(value)):
            below, above = (self._linear(end) if self._is_linear else end for end in (math.floor(raw), math.ceil(raw)))
            raise ValueError(f"{value!r} is no whole number of the device's; write {below:.12g} or {above:.12g}")
        return nearest

    def _doubt(self, value: Value) -> float:
        """Return by how much the inverse may be off, as floats have only so many digits."""
        if not self._is_linear or not isinstance(value, int | float):
            return 0.0
        return 8 * sys.float_info.epsilon * (abs(value) + abs(self._offset)) / abs(self._scale)

    def _linear(self, raw: int | float) -> int | float:
        value = raw * self._scale + self._offset
        if not math.isfinite(value):
            raise ValueError(f"the device sent {raw:g}, which 'scale' makes too large")
        return round(value, self._decimals) if isinstance(raw, int) else value

    def _word(self, raw: int | float) -> str:
        word = self._words.get(int(raw)) if raw == int(raw) else None
        if word is None:
            raise ValueError(f"the device sent {raw}, for which 'values' has no word")
        return word


def to_switch(value: Value) -> bool:
    """Return what to write to a single bit. Raises ValueError unless it is true, false, 1 or 0."""
    if value not in (0, 1):
        raise ValueError(f"{value!r} is neither on nor off")
    return bool(value)


def conversion_fault(options: PointOptions) -> str:
    """Return what is wrong with how a point converts, empty if nothing is."""
    if options.scale == 0:
        return "'scale' must not be 0"
    if options.clamp is not None and options.clamp[0] >= options.clamp[1]:
        return f"'clamp' is [least, most]; {options.clamp[0]:g} is not below {options.clamp[1]:g}"
    if options.values and (options.scale, options.offset, options.clamp) != (1.0, 0.0, None):
        return "'values' gives words for raw numbers; leave 'scale', 'offset' and 'clamp' out"
    if len(set(options.values.values())) != len(options.values):
        return "'values' gives two numbers the same word, so that it could not be written; name them apart"
    return ""


def _decimals(number: float) -> int:
    exponent = Decimal(repr(number)).as_tuple().exponent
    return max(-exponent, 0) if isinstance(exponent, int) else 0
