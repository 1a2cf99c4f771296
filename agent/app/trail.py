"""The last samples of the points that rules read, for those who ask why."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence

from agent.core.model import Sample

DEPTH = 8
"""Samples of a point that are kept: those that said something new."""


class Trail:
    """A ring for each point that is watched; the rest costs nothing but a look."""

    def __init__(self, points: Iterable[str] = ()) -> None:
        self._rings: dict[str, deque[Sample]] = {}
        self.watch(points)

    def watch(self, points: Iterable[str]) -> None:
        """Keep the samples of these points, and forget those of others."""
        self._rings = {point: self._rings.get(point) or deque(maxlen=DEPTH) for point in points}

    def add(self, samples: Sequence[Sample]) -> None:
        """Take samples that said something new."""
        rings = self._rings
        for sample in samples:
            ring = rings.get(sample[0])
            if ring is not None:
                ring.append(sample)

    def of(self, point: str) -> Sequence[Sample]:
        """Return what is kept of a point, the oldest first."""
        return tuple(self._rings.get(point, ()))
