"""Lines that people cross. Pure; time is an argument."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from models.behaviours.base import Fact
from models.options import LineOptions, Point, Way
from models.tracking import Track

MARGIN = 0.12
"""In person lengths: feet count as on a side once they are so far from the line, for boxes tremble."""
NEAR = 1.0
"""In person lengths: who is lost so near the line may have crossed it."""
FORGOTTEN_S = 60.0
_SIDES: dict[Way, tuple[int, ...]] = {"left_to_right": (1,), "right_to_left": (-1,), "both": (1, -1)}


@dataclass(slots=True)
class Walk:
    """Where somebody's feet were last clearly beside the line: ``side`` is +1 (its right hand) or -1.

    ``pending`` is a crossing that counts once the person is believed, ``near`` tells that the feet are near the line.
    """

    side: int
    at: Point
    seen_s: float
    pending: int = 0
    near: bool = False


@dataclass(slots=True)
class LineState:
    """All that a line remembers: ``walks`` by track, ``crossings`` as (when, to which side), oldest first."""

    walks: dict[int, Walk] = field(default_factory=dict)
    crossings: list[tuple[float, int]] = field(default_factory=list)


class Line:
    """Counts each crossing once, by direction: left and right are the hands of who looks from its first point on."""

    def __init__(self, options: LineOptions) -> None:
        self._options = options
        self.state = LineState()

    @property
    def within_s(self) -> float:
        """How long a crossing is counted."""
        return self._options.within

    def observe(self, tracks: Sequence[Track], width: int, height: int, now_s: float) -> Fact:
        """Return the crossings within the window, and whether that is sure: else there may be more.

        ``tracks`` are those of the picture of ``width`` x ``height`` pixels taken at ``now_s`` (monotonic seconds).
        """
        first, last = ((x * width, y * height) for x, y in self._options.points)
        for track in tracks:
            if track.seen_s == now_s and track.jumped:
                self.state.walks.pop(track.id, None)
            elif track.seen_s == now_s and not track.hidden:
                self._follow(track, first, last)
        return Fact(self._count(now_s), self._is_sure(now_s))

    def _count(self, now_s: float) -> int:
        since_s, sides = now_s - self._options.within, _SIDES[self._options.counts]
        self.state.crossings = [crossing for crossing in self.state.crossings if crossing[0] > since_s]
        return sum(side in sides for _, side in self.state.crossings)

    def _is_sure(self, now_s: float) -> bool:
        """Who was lost, or hidden, near the line may have crossed it unseen."""
        walks = self.state.walks
        self.state.walks = {name: walk for name, walk in walks.items() if now_s - walk.seen_s <= FORGOTTEN_S}
        lost = [walk for walk in walks.values() if walk.near and walk.seen_s < now_s]
        return all(now_s - walk.seen_s > self._options.within for walk in lost)

    def _follow(self, track: Track, first: Point, last: Point) -> None:
        feet, long = (track.box.centre[0], track.box.bottom), max(track.box.length, 1.0)
        away = _beside(feet, first, last) / long
        walk = self.state.walks.get(track.id)
        if abs(away) >= MARGIN:
            side = 1 if away > 0 else -1
            if walk is None:
                walk = self.state.walks[track.id] = Walk(side, feet, track.seen_s)
            elif walk.side != side:
                back = walk.pending == -side
                walk.pending = side if not back and _meets(walk.at, feet, first, last) else 0
            walk.side, walk.at = side, feet
        if walk is not None:
            walk.seen_s, walk.near = track.seen_s, abs(away) < NEAR and _reaches(feet, first, last, NEAR * long)
            self._believe(walk, track)

    def _believe(self, walk: Walk, track: Track) -> None:
        if walk.pending and track.confirmed:
            self.state.crossings.append((track.seen_s, walk.pending))
            walk.pending = 0


def _beside(point: Point, first: Point, last: Point) -> float:
    """Return the distance from the endless line in pixels, positive at the right hand."""
    (x, y), long = (last[0] - first[0], last[1] - first[1]), _long(first, last)
    return (x * (point[1] - first[1]) - y * (point[0] - first[0])) / long


def _along(point: Point, first: Point, last: Point) -> float:
    """Return how far along the line the point is in pixels, from its first point."""
    (x, y), long = (last[0] - first[0], last[1] - first[1]), _long(first, last)
    return (x * (point[0] - first[0]) + y * (point[1] - first[1])) / long


def _long(first: Point, last: Point) -> float:
    return max(math.dist(first, last), 1e-9)


def _reaches(point: Point, first: Point, last: Point, margin: float) -> bool:
    """Tell whether the line passes the point between its ends, or no further beyond them than ``margin`` pixels."""
    return -margin <= _along(point, first, last) <= _long(first, last) + margin


def _meets(a: Point, b: Point, first: Point, last: Point) -> bool:
    """Tell whether the way from a to b, which lie on both sides of the line, goes through between its ends."""
    here, there = abs(_beside(a, first, last)), abs(_beside(b, first, last))
    share = here / max(here + there, 1e-9)
    return _reaches((a[0] + share * (b[0] - a[0]), a[1] + share * (b[1] - a[1])), first, last, 0.0)
