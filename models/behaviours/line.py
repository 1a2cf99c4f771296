"""Lines that people cross."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from models.tracking import Track

Point = tuple[float, float]
MARGIN = 0.12
"""In person lengths: feet count as on a side once they are so far from the line."""
SHOWN_S = 5.0
FORGOTTEN_S = 60.0


@dataclass(slots=True)
class _Walk:
    """Where somebody was last clearly beside the line: ``side`` is +1 or -1. ``pending`` waits until it is believed."""

    side: int
    at: Point
    seen_s: float
    pending: int = 0


class Line:
    """Counts crossings by direction. ``in`` is from the left hand to the right hand of who looks from start to end.

    On a picture, whose y goes down, a line drawn from left to right is crossed ``in`` downwards.
    """

    def __init__(self, start: Point, end: Point) -> None:
        self._start, self._end = start, end
        self._walks: dict[int, _Walk] = {}
        self._counts = {1: 0, -1: 0}
        self._last_s: dict[int, float] = {}

    def observe(self, tracks: Sequence[Track], width: int, height: int, now_s: float) -> dict[str, float]:
        """Return the counters ``in`` and ``out``, and ``crossed_in``, ``crossed_out``: 1 for 5 s after a crossing."""
        start, end = (self._start[0] * width, self._start[1] * height), (self._end[0] * width, self._end[1] * height)
        for track in tracks:
            if track.seen_s == now_s:
                self._follow(track, start, end, now_s)
        self._walks = {name: walk for name, walk in self._walks.items() if now_s - walk.seen_s <= FORGOTTEN_S}
        return {
            "in": self._counts[1],
            "out": self._counts[-1],
            "crossed_in": self._is_recent(1, now_s),
            "crossed_out": self._is_recent(-1, now_s),
        }

    def _is_recent(self, side: int, now_s: float) -> bool:
        return now_s - self._last_s.get(side, now_s - 2 * SHOWN_S) <= SHOWN_S

    def _follow(self, track: Track, start: Point, end: Point, now_s: float) -> None:
        if track.jumped:
            self._walks.pop(track.id, None)
            return
        feet = (track.box.centre[0], track.box.bottom)
        walk = self._walks.get(track.id)
        away = _beside(feet, start, end) / max(track.box.length, 1.0)
        if abs(away) >= MARGIN:
            side = 1 if away > 0 else -1
            if walk is None:
                walk = self._walks[track.id] = _Walk(side, feet, now_s)
            elif walk.side != side:
                walk.pending = side if _meets(walk.at, feet, start, end) and walk.pending != -side else 0
            walk.side, walk.at = side, feet
        if walk is not None:
            walk.seen_s = now_s
            self._believe(walk, track, now_s)

    def _believe(self, walk: _Walk, track: Track, now_s: float) -> None:
        if walk.pending and track.confirmed:
            self._counts[walk.pending] += 1
            self._last_s[walk.pending] = now_s
            walk.pending = 0


def _beside(point: Point, start: Point, end: Point) -> float:
    """Return the distance from the endless line in pixels, positive at the right hand."""
    along = (end[0] - start[0], end[1] - start[1])
    long = (along[0] ** 2 + along[1] ** 2) ** 0.5
    return (along[0] * (point[1] - start[1]) - along[1] * (point[0] - start[0])) / max(long, 1e-9)


def _meets(a: Point, b: Point, start: Point, end: Point) -> bool:
    """Tell whether the way from a to b, which lie on both sides of the line, goes through between its ends."""
    here, there = abs(_beside(a, start, end)), abs(_beside(b, start, end))
    share = here / max(here + there, 1e-9)
    cross = (a[0] + share * (b[0] - a[0]), a[1] + share * (b[1] - a[1]))
    along = (end[0] - start[0], end[1] - start[1])
    place = (cross[0] - start[0]) * along[0] + (cross[1] - start[1]) * along[1]
    return 0 <= place <= along[0] ** 2 + along[1] ** 2
