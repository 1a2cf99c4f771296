"""Lines that people cross. Pure; time is an argument."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from models.behaviours.base import Fact
from models.detection import Box
from models.places import LineOptions, Point, Way
from models.tracking import Track

MARGIN = 0.12
"""In person lengths: feet count as on a side once they are so far from the line, for boxes tremble."""
NEAR = 1.0
"""In person lengths: who is lost, or turns up, so near the line may have crossed it."""
QUICKEST = 5.0
"""Lengths per second: nobody goes further from one picture to the next."""
UNSEEN_S = 1.0
"""Between two pictures further apart somebody may come, cross the line and go."""
_SIDES: dict[Way, tuple[int, ...]] = {"left_to_right": (1,), "right_to_left": (-1,), "both": (1, -1)}


@dataclass(slots=True)
class Walk:
    """Where somebody's feet were last clearly beside the line: ``side`` is +1 (its right hand) or -1, 0 for not yet.

    ``away`` is how far from the line it was last seen, in its lengths; ``seen_s`` when it was last seen clearly.
    ``pending`` is a crossing that counts once the person is believed; with ``doubt`` it may have crossed since then.
    ``crossed_s`` is when it crossed last, ``sided_s`` when it stood beside the line last and could be nobody else.
    """

    at: Point
    away: float
    seen_s: float
    side: int = 0
    pending: int = 0
    doubt: bool = False
    crossed_s: float | None = None
    sided_s: float = 0.0


@dataclass(slots=True)
class LineState:
    """All that a line remembers: ``walks`` by track, ``crossings`` as (when, to which side), oldest first.

    ``doubt_s`` is when somebody may have crossed unseen last, ``last_s`` when the picture before was taken.
    """

    walks: dict[int, Walk] = field(default_factory=dict)
    crossings: list[tuple[float, int]] = field(default_factory=list)
    doubt_s: float | None = None
    last_s: float | None = None


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
        step_s = 0.0 if self.state.last_s is None else now_s - self.state.last_s
        self.state.last_s = now_s
        if step_s > UNSEEN_S:
            self.state.doubt_s = now_s
        reach = max(NEAR, QUICKEST * step_s)
        for track in tracks:
            # Who is not seen goes on as before.
            self._watch(track, _Place.of(track.expected(now_s), first, last), reach, now_s)
        self._give_up({track.id for track in tracks}, now_s)
        return Fact(self._count(now_s), self._is_sure(now_s))

    def _count(self, now_s: float) -> int:
        since_s, sides = now_s - self._options.within, _SIDES[self._options.counts]
        self.state.crossings = [crossing for crossing in self.state.crossings if crossing[0] > since_s]
        return sum(side in sides for _, side in self.state.crossings)

    def _is_sure(self, now_s: float) -> bool:
        doubt_s = self.state.doubt_s
        is_over = doubt_s is None or now_s - doubt_s >= self._options.within
        return is_over and not any(walk.doubt or walk.pending for walk in self.state.walks.values())

    def _give_up(self, followed: set[int], now_s: float) -> None:
        """Of whom nothing is seen any more, the doubt stays for the window's time."""
        gone = [self.state.walks.pop(name) for name in self.state.walks.keys() - followed]
        if any(walk.doubt or walk.pending for walk in gone):
            self.state.doubt_s = now_s

    def _watch(self, track: Track, place: _Place, reach: float, now_s: float) -> None:
        walk = self.state.walks.get(track.id)
        if walk is None or (track.jumped and track.seen_s == now_s):
            self._begin(track, place, reach, now_s)
        elif track.seen_s == now_s and not (track.hidden or track.shared):
            self._follow(walk, track, place)
        else:
            walk.doubt = walk.doubt or min(walk.away, place.away) <= reach

    def _begin(self, track: Track, place: _Place, reach: float, now_s: float) -> None:
        """Who turns up, or jumps, near the line or over it may have crossed it: that is doubt, and no crossing."""
        before = self.state.walks.get(track.id)
        near = place.away <= reach
        if before is not None:
            near = near or before.doubt or before.pending != 0 or before.away <= reach or place.meets(before.at)
        if near:
            self.state.doubt_s = now_s
        elif (origin := self.state.walks.get(track.origin)) and origin.crossed_s is not None:
            # They may have crossed together, as one box; the doubt goes when that crossing does.
            self.state.doubt_s = max(origin.crossed_s, self.state.doubt_s or origin.crossed_s)
        self.state.walks[track.id] = Walk(
            place.feet, place.away, now_s, 0 if track.hidden or track.shared else place.side, sided_s=now_s
        )

    def _follow(self, walk: Walk, track: Track, place: _Place) -> None:
        if self._may_be_another(walk, track, place):
            self.state.doubt_s = track.seen_s
        if place.side:
            if track.mixed_s != track.seen_s:
                walk.sided_s = track.seen_s
            if walk.side == -place.side:
                back = walk.pending == walk.side
                walk.pending = place.side if not back and place.meets(walk.at) else 0
            walk.side, walk.at = place.side, place.feet
        walk.seen_s, walk.away, walk.doubt = track.seen_s, place.away, False
        if walk.pending and track.confirmed:
            self.state.crossings.append((track.seen_s, walk.pending))
            walk.pending, walk.crossed_s = 0, track.seen_s

    def _may_be_another(self, walk: Walk, track: Track, place: _Place) -> bool:
        """Tell whether two who were one box near the line, and came from both its sides, may have changed sides."""
        if track.mixed_s is None or track.mixed_s <= walk.sided_s or min(walk.away, place.away) > NEAR:
            return False
        other = self.state.walks.get(track.mixed)
        return bool(walk.side) and (walk.side == -place.side or (other is not None and other.side == -walk.side))


@dataclass(frozen=True, slots=True)
class _Place:
    """Where feet are beside a line from ``first`` to ``last``, all in pixels.

    ``away`` is in person lengths, ``side`` 0 for who stands on the line, or on what continues it.
    """

    feet: Point
    away: float
    side: int
    first: Point
    last: Point

    @classmethod
    def of(cls, box: Box, first: Point, last: Point) -> _Place:
        feet, long = (box.centre[0], box.bottom), max(box.length, 1.0)
        beside = _beside(feet, first, last) / long
        side = 0 if abs(beside) < MARGIN else 1 if beside > 0 else -1
        return cls(feet, _distance(feet, first, last) / long, side, first, last)

    def meets(self, before: Point) -> bool:
        """Tell whether the way from ``before``, at the other side, goes through the line between its ends."""
        here, there = _beside(before, self.first, self.last), _beside(self.feet, self.first, self.last)
        if here * there > 0:
            return False
        share = abs(here) / max(abs(here) + abs(there), 1e-9)
        x, y = (a + share * (b - a) for a, b in zip(before, self.feet, strict=True))
        return 0 <= _along((x, y), self.first, self.last) <= _long(self.first, self.last)


def _beside(point: Point, first: Point, last: Point) -> float:
    """Return the distance from the endless line in pixels, positive at the right hand."""
    (x, y), long = (last[0] - first[0], last[1] - first[1]), _long(first, last)
    return (x * (point[1] - first[1]) - y * (point[0] - first[0])) / long


def _along(point: Point, first: Point, last: Point) -> float:
    """Return how far along the line the point is in pixels, from its first point."""
    (x, y), long = (last[0] - first[0], last[1] - first[1]), _long(first, last)
    return (x * (point[0] - first[0]) + y * (point[1] - first[1])) / long


def _distance(point: Point, first: Point, last: Point) -> float:
    """Return the distance from the line between its ends in pixels."""
    along = _along(point, first, last)
    beyond = max(0.0, -along, along - _long(first, last))
    return math.hypot(_beside(point, first, last), beyond)


def _long(first: Point, last: Point) -> float:
    return max(math.dist(first, last), 1e-9)
