"""Level: an analogue point against up to four limits, exclusive (the most severe stands for all) or not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

from pydantic import Field, field_validator

from agent.core.document import Where
from agent.core.durations import Duration
from agent.core.model import AlarmDefinition, Instant, PointInfo, Priority
from agent.core.options import Options
from agent.core.ports import Facts
from rules.condition import UNKNOWN, Condition, Verdict, firm, number
from rules.language import Message, PriorityField, RuleOptions
from rules.rule import Rule

LimitName = Literal["HH", "H", "L", "LL"]
SIDES: dict[LimitName, dict[str, str]] = {
    "HH": {"en": "very high", "zh": "过高"},
    "H": {"en": "high", "zh": "偏高"},
    "LL": {"en": "very low", "zh": "过低"},
    "L": {"en": "low", "zh": "偏低"},
}
"""In the order of compilation: on each side the most severe first."""
_OUTER: dict[LimitName, LimitName] = {"H": "HH", "L": "LL"}


@dataclass(frozen=True, slots=True)
class LevelCondition(Condition):
    """One limit. ``sign`` is 1 for a high limit and -1 for a low one; ``at`` and ``deadband`` are in ``unit``."""

    point: str
    at: float
    deadband: float
    sign: int
    unit: str = ""

    @property
    def inputs(self) -> tuple[str, ...]:
        """The one point."""
        return (self.point,)

    def judge(self, facts: Facts, memory: Any, held: bool, now: Instant) -> Verdict:  # noqa: ARG002
        """Exceeded at the limit and beyond; once exceeded, until it is back by more than the deadband."""
        sample = facts.get(self.point, now.mono_s)
        value = number(sample)
        if value is None:
            return UNKNOWN
        limit = self.at - self.sign * self.deadband if held else self.at
        return firm((value - limit) * self.sign >= 0, value, sample)

    def band(self, exceeded: bool) -> tuple[float, float]:
        """Return the open interval in which the verdict on a GOOD value stays ``exceeded``."""
        if exceeded:
            edge = self.at - self.sign * self.deadband
            return (edge, float("inf")) if self.sign > 0 else (float("-inf"), edge)
        return (float("-inf"), self.at) if self.sign > 0 else (self.at, float("inf"))

    def describe(self) -> str:
        """Return ``boiler.gas at or above 40 %LEL (deadband 2)``."""
        side = "at or above" if self.sign > 0 else "at or below"
        deadband = f" (deadband {self.deadband:g})" if self.deadband else ""
        return f"{self.point} {side} {self.at:g}{' ' + self.unit if self.unit else ''}{deadband}"


class LimitOptions(Options):
    """One limit of a level rule; what it leaves out, the rule says."""

    at: float
    priority: PriorityField
    on_delay: Duration | None = None
    off_delay: Duration | None = None
    deadband: float | None = Field(default=None, ge=0)
    latch: bool | None = None


class LevelOptions(RuleOptions):
    """An analogue point against up to four limits; each limit is an alarm of its own, ``<id>.<limit>``."""

    kind: Literal["level"] = "level"
    input: str
    limits: dict[LimitName, LimitOptions]
    exclusive: bool = Field(default=True, description="HH stands for H while it calls; false: both are active")
    deadband: float = Field(default=0.0, ge=0)
    on_delay: Duration = 2.0
    off_delay: Duration = 10.0

    @field_validator("limits")
    @classmethod
    def _in_order(cls, limits: dict[LimitName, LimitOptions]) -> dict[LimitName, LimitOptions]:
        if not limits:
            raise ValueError("no limit is given; give at least one of HH, H, L, LL")
        given = [(name, limits[name].at) for name in ("LL", "L", "H", "HH") if name in limits]
        for (low, low_at), (high, high_at) in pairwise(given):
            if low_at >= high_at:
                raise ValueError(f"{low} ({low_at:g}) must be below {high} ({high_at:g})")
        return limits

    def points(self) -> Iterator[tuple[Where, str]]:
        """Yield the one input."""
        yield ("input",), self.input
        yield from super().points()

    def priorities(self) -> Iterator[tuple[Where, Priority]]:
        """Yield that of each limit."""
        for name, limit in self.limits.items():
            yield ("limits", name, "priority"), limit.priority

    def faults(self) -> Iterator[Message]:
        """Find a less severe limit that is more urgent than the one that would stand for it."""
        yield from super().faults()
        for inner, outer in _OUTER.items():
            one, other = self.limits.get(inner), self.limits.get(outer)
            if self.exclusive and one and other and one.priority < other.priority:
                text = f"{outer} stands for {inner} while it calls, so it must be as urgent; or add 'exclusive: false'"
                yield ("limits", outer, "priority"), text

    def compile(self, points: Mapping[str, PointInfo]) -> Iterator[Rule]:
        """Yield an alarm for each limit."""
        for name in SIDES:
            if name in self.limits:
                yield self._rule(name, self.limits[name], points)

    def _rule(self, name: LimitName, limit: LimitOptions, points: Mapping[str, PointInfo]) -> Rule:
        unit, sign = points[self.input].unit, 1 if "H" in name else -1
        condition = LevelCondition(self.input, limit.at, _or(limit.deadband, self.deadband), sign, unit)
        latch = self.latch if limit.latch is None else limit.latch
        timing = self.timing(_or(limit.on_delay, self.on_delay), _or(limit.off_delay, self.off_delay), latch)
        outer = _OUTER.get(name)
        yields_to = f"{self.id}.{outer}" if self.exclusive and outer in self.limits else ""
        definition = self._define(name, limit, condition, points, latch)
        return Rule(definition, condition, timing, self.suppression(), self.armed, yields_to)

    def _define(
        self,
        name: LimitName,
        limit: LimitOptions,
        condition: LevelCondition,
        points: Mapping[str, PointInfo],
        latch: bool,
    ) -> AlarmDefinition:
        named = {language: f"{text}: {SIDES[name][language]}" for language, text in self.name.items()}
        more: dict[str, Any] = {"name": named, "unit": condition.unit, "limit": limit.at, "latch": latch}
        return self.define(f"{self.id}.{name}", limit.priority, condition, points, **more)


def _or(value: float | None, otherwise: float) -> float:
    return otherwise if value is None else value
