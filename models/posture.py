"""How one tracked person holds itself and how fast it goes, from its boxes alone. Pure; time is an argument.

A box that the picture's edge cuts, that somebody nearer hides, or that is small tells nothing: it is not given here.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from statistics import median

from models.detection import Box

UPRIGHT_RATIO = 1.3
"""Height by width from which a person stands, sits or kneels."""
LYING_RATIO, LYING_LOW = 1.2, 0.55
"""Lying: so much wider than high, and so low for its height when upright. Who ties a shoe is low, but not wide."""
ALWAYS_LYING_RATIO = 1.6
"""So much wider than high is lying, also of somebody who was never seen upright."""
FALL_S, FALL_SHARE, FALL_VOTES = 2.0, 0.6, 3
UP_SHARE = 0.3
STILL_MOVE = 0.25
"""In lengths: who moves less than that from its place lies still."""
_HEIGHTS = 15
_WINDOW_S, _LEAST_WINDOW_S = 1.6, 0.8
_RESIZED = 1.4


class Posture:
    """Whether it lies, whether it was upright before, and since when it does not move; votes over two seconds."""

    def __init__(self) -> None:
        self.lying = False
        self.fell = False
        self._heights: deque[float] = deque(maxlen=_HEIGHTS)
        self._votes: deque[tuple[float, bool]] = deque()
        self._place: Box | None = None
        self._still_since_s = 0.0

    def observe(self, box: Box, now_s: float) -> None:
        """Take up one clear observation at ``now_s`` (monotonic seconds)."""
        flat = self._is_flat(box)
        if not flat and box.height >= UPRIGHT_RATIO * box.width and not self._is_squat(box):
            self._heights.append(box.height)
        self._votes.append((now_s, flat))
        while self._votes[0][0] < now_s - FALL_S:
            self._votes.popleft()
        self._judge(now_s)
        self._watch_moves(box, now_s)

    def still_s(self, now_s: float) -> float:
        """Return for how long it has been lying without moving, in seconds; 0 of somebody who does not lie."""
        return now_s - self._still_since_s if self.lying else 0.0

    def _is_flat(self, box: Box) -> bool:
        if not self._heights:
            return box.width >= ALWAYS_LYING_RATIO * box.height
        return box.width >= LYING_RATIO * box.height and box.height <= LYING_LOW * median(self._heights)

    def _is_squat(self, box: Box) -> bool:
        """Keep the height of somebody who crouches out of what counts as upright."""
        return bool(self._heights) and box.height < 0.8 * median(self._heights)

    def _judge(self, now_s: float) -> None:
        flat = [was for _, was in self._votes]
        if len(flat) < FALL_VOTES:
            return
        before = self.lying
        if sum(flat) >= FALL_SHARE * len(flat) and now_s - self._votes[0][0] >= FALL_S / 2:
            self.lying = True
        elif sum(flat) < UP_SHARE * len(flat):
            self.lying = False
        if self.lying and not before:
            self.fell, self._place = bool(self._heights), None

    def _watch_moves(self, box: Box, now_s: float) -> None:
        if self._place is None or _moved(self._place, box) > STILL_MOVE:
            self._place, self._still_since_s = box, now_s


def _moved(a: Box, b: Box) -> float:
    (ax, ay), (bx, by) = a.centre, b.centre
    return math.hypot(ax - bx, ay - by) / max(a.length, b.length, 1.0)


@dataclass(frozen=True, slots=True)
class _Step:
    at_s: float
    x: float
    y: float
    length: float


class Pace:
    """How fast its feet go over the picture, in body heights per second over a window of 0.8 to 1.6 s."""

    def __init__(self) -> None:
        self._steps: deque[_Step] = deque()

    def observe(self, box: Box, now_s: float) -> None:
        """Take up one clear observation at ``now_s`` (monotonic seconds)."""
        if self._steps and not 1 / _RESIZED < box.height / max(self._steps[-1].length, 1.0) < _RESIZED:
            self.forget()  # another posture, or another part of the body: the feet did not go there
        self._steps.append(_Step(now_s, box.centre[0], box.bottom, box.height))
        while self._steps[0].at_s < now_s - _WINDOW_S:
            self._steps.popleft()

    def forget(self) -> None:
        """Begin anew, after a jump or when it was not seen clearly."""
        self._steps.clear()

    @property
    def speed(self) -> float | None:
        """Body heights per second; None while too little was seen."""
        if len(self._steps) < 3:
            return None
        first, last = self._steps[0], self._steps[-1]
        passed_s = last.at_s - first.at_s
        if passed_s < _LEAST_WINDOW_S:
            return None
        way = math.hypot(last.x - first.x, last.y - first.y)
        return way / max(median(step.length for step in self._steps), 1.0) / passed_s
