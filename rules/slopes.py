"""Robust straight lines: the median of all slopes between two points (Theil 1950, Sen 1968), and how sure it is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from math import sqrt
from statistics import median
from typing import NamedTuple

from rules.trace import Mark

LEAST = 5
"""Marks below which one outlier can turn the median of the slopes."""


class Line(NamedTuple):
    """``slope`` per second, not known better than between ``low`` and ``high``; ``level`` at the last mark."""

    slope: float
    low: float
    high: float
    level: float
    straight: bool
    """A straight line fits better than one step does."""


def slopes(marks: Iterable[Mark]) -> list[float]:
    """Return the slope between every two marks, in order of size, per second. No two are at the same time."""
    found: list[float] = []
    earlier: list[tuple[float, float]] = []
    for at_s, value, _ in marks:
        found += [(value - other) / (at_s - other_s) for other_s, other in earlier]
        earlier.append((at_s, value))
    found.sort()
    return found


def middle(ordered: Sequence[float]) -> float:
    """Return the median of what is in order already."""
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2


def fit(marks: Sequence[Mark], *confidences: float) -> list[Line]:
    """Return the robust line with its interval at so many standard deviations each; none for too few marks.

    The interval is Sen's (by the variance of Kendall's S, under no trend), made wider by what each
    mark tells of the next one: a slow wave is no proof of a trend.
    """
    if len(marks) < LEAST:
        return []
    ordered, last_s, count = slopes(marks), marks[-1].at_s, len(marks)
    slope = middle(ordered)
    offsets = [value - slope * (at_s - last_s) for at_s, value, _ in marks]
    level = median(offsets)
    rests = [offset - level for offset in offsets]
    sigma = sqrt(count * (count - 1) * (2 * count + 5) / 18) * _inertia(rests)
    straight = _is_straight(marks, rests)
    bounds = [[_ranked(ordered, (len(ordered) + side * z * sigma) / 2) for side in (-1, 1)] for z in confidences]
    return [Line(slope, low, high, level, straight) for low, high in bounds]


def _ranked(ordered: Sequence[float], rank: float) -> float:
    """Return the slope of that rank; beyond the ends nothing is known, so it has no bound."""
    if rank < 0:
        return -float("inf")
    return ordered[int(rank)] if rank < len(ordered) else float("inf")


def _inertia(rests: Sequence[float]) -> float:
    """Return by how much likeness of neighbours widens the interval, 1 to 3 (after Bayley and Hammersley, 1946)."""
    power = sum(rest * rest for rest in rests)
    if power <= 0:
        return 1.0
    likeness = sum(one * other for one, other in pairwise(rests)) / power
    held = min(max(likeness, 0.0), 0.8)
    return sqrt((1 + held) / (1 - held))


def _is_straight(marks: Sequence[Mark], rests: Sequence[float]) -> bool:
    """Tell whether the line leaves less unexplained than the best single step."""
    values = [mark.value for mark in marks]
    mean = sum(values) / len(values)
    left, best = 0.0, 0.0
    for index, value in enumerate(values[:-1], start=1):
        left += value - mean
        best = max(best, left * left * (1 / index + 1 / (len(values) - index)))
    total = sum((value - mean) ** 2 for value in values)
    return sum(rest * rest for rest in rests) <= max(total - best, 0.0)
