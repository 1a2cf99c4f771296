"""Forecast: a value is on its way to a limit and will reach it soon, if the trend is real and goes on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import inf
from typing import Any, Literal, NamedTuple
from zlib import crc32

from pydantic import Field

from agent.core.document import Where
from agent.core.durations import Duration, format_duration
from agent.core.model import Instant, PointInfo
from agent.core.ports import Facts
from rules.condition import UNKNOWN, Condition, Verdict, is_good, sure
from rules.language import Message, SingleOptions
from rules.slopes import Line, fit
from rules.trace import Trace, finite

_STEPS = 36
_SURE_Z = 3.29
"""To raise, the trend must differ from none with 99.9 %; it is held with 95 %, so that it does not flutter."""
_HELD_Z = 1.96
_FILLED = 0.8
"""The marks must span that much of the window, and be no fewer than half of it has room for."""
_HELD_WITHIN = 1.25
"""Once raised, it is held until the limit is that many times as far as it need be."""


class Arrival(NamedTuple):
    """Seconds to the limit: by the trend itself, and by the fastest and slowest that the data allow."""

    likely_s: float
    soonest_s: float
    latest_s: float


class ForecastMemory(Trace):
    """The trace, and its line as sure as it must be to raise and to hold; they change only with the marks."""

    line: Line | None = None
    held_line: Line | None = None

    def refresh(self) -> None:
        """Find the lines anew, or none where the data do not fill the window."""
        room = self.window_s / self.step_s
        is_filled = self.span_s >= _FILLED * self.window_s and len(self.marks) >= room / 2
        lines = fit(self.marks, _SURE_Z, _HELD_Z) if is_filled else []
        self.line, self.held_line = lines or (None, None)


@dataclass(frozen=True, slots=True)
class ForecastCondition(Condition):
    """``limit`` is reached from below with ``sign`` 1, from above with -1."""

    timed = True

    point: str
    limit: float
    sign: int
    within_s: float
    window_s: float
    unit: str = ""

    @property
    def inputs(self) -> tuple[str, ...]:
        """The one point."""
        return (self.point,)

    def remember(self) -> ForecastMemory:
        """Return an empty trace; those of many points do not all come to a mark in the same second."""
        phase = crc32(self.point.encode()) % 64 / 64
        return ForecastMemory(self.window_s, _STEPS, phase=phase)

    def judge(self, facts: Facts, memory: ForecastMemory, held: bool, now: Instant) -> Verdict:
        """Unknown until the data fill the window. The value is minutes to the limit by the trend, None for never.

        It raises when even the slowest trend that the data allow reaches the limit in time: then it is
        no guess. (The level rule stands behind it for what comes faster.) A value at the limit has arrived.
        """
        sample = facts.get(self.point, now.mono_s)
        marks = len(memory.marks)
        if memory.take(sample, now) or len(memory.marks) != marks or (memory.marks and memory.line is None):
            memory.refresh()
        value = finite(sample)
        if value is None:
            return UNKNOWN
        good = memory.is_good and is_good(sample)
        if held and (value - self.limit) * self.sign >= 0:
            return sure(True, 0.0, good)
        line = memory.held_line if held else memory.line
        if line is None:
            return UNKNOWN
        arrival = self._arrival(line, memory, now.mono_s)
        minutes = round(arrival.likely_s / 60, 2) if arrival.likely_s < inf else None
        return sure(self._is_soon(arrival, line, held), minutes, good)

    def describe(self) -> str:
        """Return ``tank.level will reach 90 % within 1h (by its trend over 30min)``."""
        how = "rise" if self.sign > 0 else "fall"
        unit, within = f" {self.unit}" if self.unit else "", format_duration(self.within_s)
        trend = format_duration(self.window_s)
        return f"{self.point} will {how} to {self.limit:g}{unit} within {within} (by its trend over {trend})"

    def explain(self, facts: Facts, memory: ForecastMemory, now: Instant) -> Iterator[str]:
        """Add the trend with its interval, and when the limit will be reached."""
        yield from Condition.explain(self, facts, memory, now)
        line = memory.line
        if line is None:
            spans = f"{len(memory.marks)} marks over {memory.span_s / 60:.1f} min"
            yield f"too little to tell: {spans}; the window is {format_duration(self.window_s)}"
            return
        low, high = line.low * 3600, line.high * 3600
        yield f"trend {line.slope * 3600:+.4g} {self.unit}/h, between {low:+.4g} and {high:+.4g} (99.9 %)"
        if not line.straight:
            yield "it looks like a step and not like a trend"
        elif not self._is_real(line):
            yield "no trend towards the limit that could not be chance"
        else:
            arrival = self._arrival(line, memory, now.mono_s)
            latest = f"{arrival.latest_s / 60:.1f}" if arrival.latest_s < inf else "never"
            span = f"between {arrival.soonest_s / 60:.1f} and {latest}"
            limit = f"{self.limit:g} {self.unit}".rstrip()
            yield f"reaches {limit} in {arrival.likely_s / 60:.1f} min, {span}"

    def _is_real(self, line: Line) -> bool:
        return (line.low if self.sign > 0 else -line.high) > 0

    def _is_soon(self, arrival: Arrival, line: Line, held: bool) -> bool:
        if arrival.likely_s <= 0:
            return True  # it is there
        if not self._is_real(line):
            return False
        if held:
            return arrival.likely_s <= self.within_s * _HELD_WITHIN
        return line.straight and arrival.latest_s <= self.within_s

    def _arrival(self, line: Line, memory: Trace, now_s: float) -> Arrival:
        """Return when each trend reaches the limit, from where the line is now."""
        since_s = now_s - memory.marks[-1].at_s
        distance = (self.limit - line.level - line.slope * since_s) * self.sign
        fast, slow = (line.high, line.low) if self.sign > 0 else (-line.low, -line.high)
        return Arrival(*(_seconds(distance, speed) for speed in (line.slope * self.sign, fast, slow)))


class ForecastOptions(SingleOptions):
    """Time to a limit, by the robust trend."""

    kind: Literal["forecast"] = "forecast"
    input: str
    limit: float
    side: Literal["high", "low"] = Field(default="high", description="low: the value falls to the limit")
    within: Duration = Field(gt=0, description="raised when the limit will be reached in that time")
    window: Duration = Field(default=1800.0, ge=60, description="the trend is that of so long; short of it is unknown")
    off_delay: Duration = 60.0

    def points(self) -> Iterator[tuple[Where, str]]:
        """Yield the one input."""
        yield ("input",), self.input
        yield from super().points()

    def faults(self) -> Iterator[Message]:
        """Find a forecast that looks further than its trend carries."""
        yield from super().faults()
        if self.within > 10 * self.window:
            needed = format_duration(self.within / 10)
            yield ("within",), f"a trend does not carry that far; make the window {needed} at least, or within shorter"

    def measure(self, points: Mapping[str, PointInfo]) -> dict[str, Any]:  # noqa: ARG002 - its value is a time
        """Return minutes, and how many are too few."""
        return {"unit": "min", "limit": self.within / 60}

    def condition(self, points: Mapping[str, PointInfo]) -> ForecastCondition:
        """Return the compiled condition."""
        sign = 1 if self.side == "high" else -1
        return ForecastCondition(self.input, self.limit, sign, self.within, self.window, points[self.input].unit)


def _seconds(distance: float, speed: float) -> float:
    if distance <= 0:
        return 0.0
    return distance / speed if speed > 0 else inf
