"""How one tracked person holds itself and how fast it goes, from its boxes alone. Pure; time is an argument.

A box that the picture's edge cuts, that somebody nearer hides, or that is small tells nothing: it is not given here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
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
_WINDOW_S, _LEAST_WINDOW_S = 1.6, 0.9
_RESIZED = 1.4


@dataclass(slots=True)
class Posture:
    """Whether it lies, whether it was upright before, and since when it does not move; votes over two seconds.

    ``heights`` are the last ones when upright, in pixels; ``votes`` tell when (monotonic) and whether it was flat.
    """

    lying: bool = False
    fell: bool = False
    heights: list[float] = field(default_factory=list)
    votes: list[tuple[float, bool]] = field(default_factory=list)
    place: Box | None = None
    still_since_s: float = 0.0
    seen_s: float = 0.0

    def observe(self, box: Box, now_s: float) -> None:
        """Take up one clear observation at ``now_s`` (monotonic seconds)."""
        flat = self._is_flat(box)
        if not flat and box.height >= UPRIGHT_RATIO * box.width and not self._is_squat(box):
            self.heights = [*self.heights, box.height][-_HEIGHTS:]
        self.votes.append((now_s, flat))
        recent = [vote for vote in self.votes if vote[0] >= now_s - FALL_S]
        self.votes = recent if len(recent) >= FALL_VOTES else self.votes[-FALL_VOTES:]
        self._judge(now_s)
        self.seen_s = now_s
        if self.place is None or not flat or _moved(self.place, box) > STILL_MOVE:
            self.place, self.still_since_s = box, now_s

    @property
    def still_s(self) -> float:
        """For how long it was seen to lie without moving, in seconds; 0 of somebody who does not lie."""
        return self.seen_s - self.still_since_s if self.lying else 0.0

    @property
    def tall(self) -> float:
        """How high it is when upright, in pixels; 0 of somebody who was never seen so."""
        return median(self.heights) if self.heights else 0.0

    def _is_flat(self, box: Box) -> bool:
        if not self.heights:
            return box.width >= ALWAYS_LYING_RATIO * box.height
        return box.width >= LYING_RATIO * box.height and box.height <= LYING_LOW * median(self.heights)

    def _is_squat(self, box: Box) -> bool:
        """Keep the height of somebody who crouches out of what counts as upright."""
        return bool(self.heights) and box.height < 0.8 * median(self.heights)

    def _judge(self, now_s: float) -> None:
        flat = [was for _, was in self.votes]
        if len(flat) < FALL_VOTES:
            return
        before = self.lying
        if sum(flat) >= FALL_SHARE * len(flat) and now_s - self.votes[0][0] >= FALL_S / 2:
            self.lying = True
        elif sum(flat) < UP_SHARE * len(flat):
            self.lying = False
        if self.lying and not before:
            self.fell = bool(self.heights)


def _moved(a: Box, b: Box) -> float:
    (ax, ay), (bx, by) = a.centre, b.centre
    return math.hypot(ax - bx, ay - by) / max(a.length, b.length, 1.0)


@dataclass(frozen=True, slots=True)
class Step:
    """Where feet were at a time, and how high the person is, in pixels."""

    at_s: float
    x: float
    y: float
    height: float


@dataclass(slots=True)
class Pace:
    """How fast its feet go over the picture, in body heights per second over a window of 0.9 to 1.6 s."""

    steps: list[Step] = field(default_factory=list)

    def observe(self, box: Box, now_s: float) -> None:
        """Take up one clear observation at ``now_s`` (monotonic seconds)."""
        if self.steps and not 1 / _RESIZED < box.height / max(self.steps[-1].height, 1.0) < _RESIZED:
            self.forget()  # another posture, or another part of the body: the feet did not go there
        self.steps.append(Step(now_s, box.centre[0], box.bottom, box.height))
        self.steps = [step for step in self.steps if step.at_s >= now_s - _WINDOW_S]

    def forget(self) -> None:
        """Begin anew, after a jump or when it was not seen clearly."""
        self.steps = []

    @property
    def speed(self) -> float | None:
        """Body heights per second, the median of the ways back to each step far enough away; None of too few."""
        if len(self.steps) < 3:
            return None
        last = self.steps[-1]
        tall = max(median(step.height for step in self.steps), 1.0)
        ways = [
            math.hypot(last.x - step.x, last.y - step.y) / (last.at_s - step.at_s) / tall
            for step in self.steps
            if last.at_s - step.at_s >= _LEAST_WINDOW_S
        ]
        return median(ways) if ways else None
