"""What is normal for a point at each hour of the day, or of the week: learnt, robust, bounded, and open to anybody."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from datetime import datetime
from statistics import median
from typing import Any, NamedTuple

DAY, WEEK = 24, 168
_KEPT = {DAY: 14, WEEK: 8}
"""Hours kept of each bin: two weeks, or eight."""
LEAST = 3
"""Hours of a bin below which nothing is said about it."""
_SIGMA = 1.4826
"""A median deviation, as the standard deviation of a normal distribution."""


class Hour(NamedTuple):
    """One hour: its median, the median deviation within it, and the largest step in it."""

    level: float
    spread: float
    step: float


class Usual(NamedTuple):
    """What is usual at one hour: the level, how much it differs (one standard deviation), and the largest step."""

    level: float
    scale: float
    step: float


class Normal:
    """``bins`` is DAY or WEEK. Hours are those of UTC: what is usual does not ask what people call it."""

    def __init__(self, bins: int) -> None:
        self.bins = bins
        self.hours: list[deque[Hour]] = [deque(maxlen=_KEPT[bins]) for _ in range(bins)]
        self.learnt = 0
        """Hours learnt in all."""
        self._pooled: float | None = None
        self._found: dict[int, Usual | None] = {}
        """What was found of each bin since anything was learnt: it is asked for every minute, and learns every hour."""

    def bin(self, utc: datetime) -> int:
        """Return the bin of a moment."""
        return utc.hour if self.bins == DAY else utc.weekday() * 24 + utc.hour

    def learn(self, bin_: int, hour: Hour) -> None:
        """Take one hour in; of the same hour the oldest is forgotten."""
        self.hours[bin_].append(Hour(*(float(f"{value:.6g}") for value in hour)))
        self.learnt += 1
        self._begin_anew()

    def usual(self, bin_: int) -> Usual | None:
        """Return what is usual at that hour, None where too few of them were seen."""
        if bin_ not in self._found:
            self._found[bin_] = self._find(bin_)
        return self._found[bin_]

    def _begin_anew(self) -> None:
        self._pooled = None
        self._found.clear()

    def _find(self, bin_: int) -> Usual | None:
        kept = self.hours[bin_]
        if len(kept) < LEAST:
            return None
        level = median(hour.level for hour in kept)
        between = max(self._between_days(), _SIGMA * _deviation([hour.level for hour in kept]))
        within = _SIGMA * median(hour.spread for hour in kept)
        near = (self.hours[(bin_ + shift) % self.bins] for shift in (-1, 0, 1))
        step = max(median(hour.step for hour in hours) for hours in near if hours)
        return Usual(level, (between**2 + within**2) ** 0.5, step)

    def save(self) -> dict[str, Any]:
        """Return it as JSON data."""
        return {"learnt": self.learnt, "hours": [[list(hour) for hour in kept] for kept in self.hours]}

    def load(self, saved: Any) -> None:
        """Take it up, on any boot: what is usual does not end with a restart."""
        if not isinstance(saved, dict) or len(saved.get("hours", ())) != self.bins:
            raise ValueError(f"a normal has {self.bins} hours")
        self.learnt = int(saved["learnt"])
        for kept, hours in zip(self.hours, saved["hours"], strict=True):
            kept.extend(Hour(float(level), float(spread), float(step)) for level, spread, step in hours)
        self._begin_anew()

    def _between_days(self) -> float:
        """Return by how much the same hour usually differs from day to day, of all hours together.

        A median deviation of few days says too little; it is made larger accordingly.
        """
        if self._pooled is None:
            found = [_deviation([hour.level for hour in kept]) for kept in self.hours if len(kept) >= LEAST]
            fewest = min((len(kept) for kept in self.hours if len(kept) >= LEAST), default=LEAST)
            self._pooled = _SIGMA * median(found) * (1 + 2 / fewest) if found else 0.0
        return self._pooled


def _deviation(values: Sequence[float]) -> float:
    centre = median(values)
    return median(abs(value - centre) for value in values)


def hour_of(values: Sequence[float], step: float) -> Hour:
    """Return what an hour of medians comes to."""
    return Hour(median(values), _deviation(values), step)
