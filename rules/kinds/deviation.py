"""Deviation: a point that should follow another, and does not; in its unit, or in % of the other or of a span."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import Field, field_validator

from agent.core.document import Where
from agent.core.durations import Duration
from agent.core.model import Instant, PointInfo
from agent.core.ports import Facts
from rules.condition import UNKNOWN, Condition, Verdict, firm, number
from rules.language import Message, SingleOptions

Side = Literal["either", "above", "below"]
_WORDS: dict[Side, str] = {"either": "away from", "above": "above", "below": "below"}


@dataclass(frozen=True, slots=True)
class DeviationCondition(Condition):
    """``at`` and ``deadband`` are in ``unit``, or in % of ``span``; of the reference where ``span`` is None."""

    point: str
    reference: str
    at: float
    deadband: float
    side: Side
    percent: bool
    span: float | None
    at_least: float
    unit: str = ""

    @property
    def inputs(self) -> tuple[str, ...]:
        """The point and what it should follow."""
        return (self.point, self.reference)

    def judge(self, facts: Facts, memory: Any, held: bool, now: Instant) -> Verdict:  # noqa: ARG002
        """Exceeded at the limit and beyond; once exceeded, until it is back by more than the deadband."""
        sample, other = facts.get(self.point, now.mono_s), facts.get(self.reference, now.mono_s)
        value, reference = number(sample), number(other)
        if value is None or reference is None:
            return UNKNOWN
        one_percent = self._one_percent(reference)
        limit = max(self.at * one_percent, self.at_least)
        if limit <= 0:
            return UNKNOWN  # so many % of nothing
        away = value - reference
        distance = abs(away) if self.side == "either" else away if self.side == "above" else -away
        edge = limit - self.deadband * one_percent if held else limit
        return firm(distance >= edge, away, sample, other)

    def describe(self) -> str:
        """Return ``belt.speed 5 % or more below belt.setpoint (deadband 1)``."""
        deadband = f" (deadband {self.deadband:g})" if self.deadband else ""
        of = f" % of a span of {self.span:g}" if self.span is not None else " %" if self.percent else ""
        least = f", {self.at_least:g} at least" if self.at_least else ""
        unit = of or (f" {self.unit}" if self.unit else "")
        return f"{self.point} {self.at:g}{unit} or more {_WORDS[self.side]} {self.reference}{least}{deadband}"

    def explain(self, facts: Facts, memory: Any, now: Instant) -> Iterator[str]:
        """Add how far they are apart, and where the limit lies now."""
        yield from Condition.explain(self, facts, memory, now)
        value, reference = (number(facts.get(point, now.mono_s)) for point in self.inputs)
        if value is not None and reference is not None:
            limit = max(self.at * self._one_percent(reference), self.at_least)
            yield f"deviation {value - reference:+.6g}, limit {limit:.6g}"

    def _one_percent(self, reference: float) -> float:
        """Return what ``at`` and ``deadband`` count in."""
        if not self.percent:
            return 1.0
        return (abs(reference) if self.span is None else self.span) / 100


class DeviationOptions(SingleOptions):
    """A point from another point."""

    kind: Literal["deviation"] = "deviation"
    input: str
    reference: str = Field(description="the point that it should follow")
    at: float = Field(gt=0, description="this far away, in the point's unit, or in % where percent_of is given")
    percent_of: Literal["reference"] | tuple[float, float] | None = Field(
        default=None, description="reference, or a span [least, most]"
    )
    at_least: float = Field(default=0.0, ge=0, description="less than that in the unit never counts, whatever the %")
    side: Side = "either"
    deadband: float = Field(default=0.0, ge=0, description="counts as 'at' does")
    on_delay: Duration = 2.0
    off_delay: Duration = 10.0

    @field_validator("percent_of", mode="before")
    @classmethod
    def _one_or_other(cls, value: object) -> object:
        if value not in (None, "reference") and not isinstance(value, list | tuple):
            raise ValueError(f"{value!r} is nothing to take % of; write reference, or a span such as [0, 400]")
        return value

    @field_validator("percent_of")
    @classmethod
    def _in_order(cls, span: str | tuple[float, float] | None) -> str | tuple[float, float] | None:
        if isinstance(span, tuple) and span[0] >= span[1]:
            raise ValueError(f"a span goes up; write [{span[1]:g}, {span[0]:g}]")
        return span

    def points(self) -> Iterator[tuple[Where, str]]:
        """Yield both."""
        yield ("input",), self.input
        yield ("reference",), self.reference
        yield from super().points()

    def faults(self) -> Iterator[Message]:
        """Find what could never be exceeded, or never end."""
        yield from super().faults()
        if self.input == self.reference:
            yield ("reference",), "a point does not deviate from itself; name the point that it should follow"
        if self.deadband >= self.at:
            yield ("deadband",), f"it would never end; the deadband must be smaller than at ({self.at:g})"

    def measure(self, points: Mapping[str, PointInfo]) -> dict[str, Any]:
        """Return the unit, and the limit where it is fixed."""
        span = self.percent_of[1] - self.percent_of[0] if isinstance(self.percent_of, tuple) else None
        limit = self.at if self.percent_of is None else None if span is None else self.at * span / 100
        return {"unit": points[self.input].unit, "limit": limit}

    def condition(self, points: Mapping[str, PointInfo]) -> DeviationCondition:
        """Return the compiled condition."""
        span = self.percent_of[1] - self.percent_of[0] if isinstance(self.percent_of, tuple) else None
        return DeviationCondition(
            self.input,
            self.reference,
            self.at,
            self.deadband,
            self.side,
            self.percent_of is not None,
            span,
            self.at_least,
            points[self.input].unit,
        )
