"""Rate: a value changes faster than it may, by the median of all slopes in a window."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import Field

from agent.core.document import Where
from agent.core.durations import Duration, format_duration
from agent.core.model import Instant, PointInfo
from agent.core.ports import Facts
from rules.condition import UNKNOWN, Condition, Verdict, is_good, sure
from rules.language import Message, SingleOptions
from rules.slopes import LEAST, middle, slopes
from rules.trace import Trace, finite

Per = Literal["s", "min", "h"]
Direction = Literal["rising", "falling", "either"]
_SECONDS: dict[Per, float] = {"s": 1.0, "min": 60.0, "h": 3600.0}
_VERBS: dict[Direction, str] = {"rising": "rises", "falling": "falls", "either": "changes"}
_STEPS = 15
"""Marks in the window: 105 slopes, found in some 25 µs whenever there is a new mark."""


class RateMemory(Trace):
    """The trace, and the slope of its marks in units per second: it changes only with them."""

    slope: float | None = None

    def refresh(self, span_s: float) -> None:
        """Find the slope anew."""
        is_enough = len(self.marks) >= LEAST and self.span_s >= span_s
        self.slope = middle(slopes(self.marks)) if is_enough else None


@dataclass(frozen=True, slots=True)
class RateCondition(Condition):
    """``at`` and ``deadband`` are in ``unit`` per ``per``."""

    timed = True
    counts = True

    point: str
    at: float
    deadband: float
    per: Per
    direction: Direction
    window_s: float
    span_s: float
    unit: str = ""

    @property
    def inputs(self) -> tuple[str, ...]:
        """The one point."""
        return (self.point,)

    def remember(self) -> RateMemory:
        """Return an empty trace."""
        return RateMemory(self.window_s, _STEPS)

    def judge(self, facts: Facts, memory: RateMemory, held: bool, now: Instant) -> Verdict:
        """Unknown until the marks span long enough."""
        sample = facts.get(self.point, now.mono_s)
        marks = len(memory.marks)
        if memory.take(sample, now) or len(memory.marks) != marks or memory.slope is None:
            memory.refresh(self.span_s)
        if finite(sample) is None or memory.slope is None:
            return UNKNOWN
        rate = memory.slope * _SECONDS[self.per]
        speed = abs(rate) if self.direction == "either" else rate if self.direction == "rising" else -rate
        limit = self.at - self.deadband if held else self.at
        return sure(speed >= limit, rate, memory.is_good and is_good(sample))

    def describe(self) -> str:
        """Return ``kiln.temperature rises by 5 °C/min or more (over 1min, deadband 1)``."""
        deadband = f", deadband {self.deadband:g}" if self.deadband else ""
        span = f", of {format_duration(self.span_s)} at least"
        rate = f"{self.at:g} {self.unit}/{self.per}"
        over = format_duration(self.window_s)
        return f"{self.point} {_VERBS[self.direction]} by {rate} or more (over {over}{span}{deadband})"

    def explain(self, facts: Facts, memory: RateMemory, now: Instant) -> Iterator[str]:
        """Add the rate, and what it rests on."""
        yield from Condition.explain(self, facts, memory, now)
        rests_on = f"{len(memory.marks)} marks over {memory.span_s:.1f} s"
        if memory.slope is None:
            yield f"too little to tell: {rests_on}; {LEAST} over {format_duration(self.span_s)} are needed"
        else:
            yield f"rate {memory.slope * _SECONDS[self.per]:+.6g} {self.unit}/{self.per}, of {rests_on}"


class RateOptions(SingleOptions):
    """A rate of change that is too high."""

    kind: Literal["rate"] = "rate"
    input: str
    at: float = Field(gt=0, description="in the point's unit per 'per'")
    per: Per = "min"
    direction: Direction = "either"
    window: Duration = Field(default=60.0, gt=0)
    span: Duration | None = Field(default=None, gt=0, description="data for less is unknown; default: half the window")
    deadband: float = Field(default=0.0, ge=0)
    on_delay: Duration = 0.0
    off_delay: Duration = 10.0

    def points(self) -> Iterator[tuple[Where, str]]:
        """Yield the one input."""
        yield ("input",), self.input
        yield from super().points()

    def faults(self) -> Iterator[Message]:
        """Find what could never be exceeded, or never end."""
        yield from super().faults()
        if self.span is not None and self.span > 0.9 * self.window:
            longest = format_duration(0.9 * self.window)
            yield (
                ("span",),
                f"samples rarely fill a window to its edges; make it {longest} at most, or the window longer",
            )
        if self.deadband >= self.at:
            yield ("deadband",), f"it would never end; the deadband must be smaller than at ({self.at:g})"

    def measure(self, points: Mapping[str, PointInfo]) -> dict[str, Any]:
        """Return the rate's unit and limit."""
        return {"unit": f"{points[self.input].unit}/{self.per}", "limit": self.at}

    def condition(self, points: Mapping[str, PointInfo]) -> RateCondition:
        """Return the compiled condition."""
        span_s = self.window / 2 if self.span is None else self.span
        unit = points[self.input].unit
        return RateCondition(self.input, self.at, self.deadband, self.per, self.direction, self.window, span_s, unit)
