"""A compiled rule: one alarm, its condition and its timing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from agent.core.durations import format_duration
from agent.core.model import AlarmDefinition, PointInfo, Priority
from rules.conditions import CelCondition, Condition, LevelCondition
from rules.language import ConditionOptions, LevelOptions, LimitName, LimitOptions, RuleOptions
from rules.machine import Timing

_SIDES: dict[LimitName, tuple[str, str]] = {
    "HH": ("very high", "过高"),
    "H": ("high", "偏高"),
    "L": ("low", "偏低"),
    "LL": ("very low", "过低"),
}


@dataclass(frozen=True)
class Rule:
    """One alarm. ``describe`` says in words when it is raised."""

    definition: AlarmDefinition
    condition: Condition
    timing: Timing

    def describe(self) -> str:
        """Return e.g. ``boiler.gas at or above 40 %LEL (deadband 2) for 2s``."""
        delay_s = self.timing.on_delay_s
        return self.condition.describe() + (f" for {format_duration(delay_s)}" if delay_s else "")


def compile_rule(options: LevelOptions | ConditionOptions, points: Mapping[str, PointInfo]) -> list[Rule]:
    """Return the alarms of one rule. Raises ValueError for an expression that does not compile."""
    if isinstance(options, LevelOptions):
        return list(_levels(options, points[options.input]))
    condition = CelCondition(options.when, options.inputs)
    timing = Timing(options.on_delay, options.off_delay, options.latch)
    return [Rule(_define(options, options.id, options.priority, condition, options.zone), condition, timing)]


def _levels(options: LevelOptions, point: PointInfo) -> Iterator[Rule]:
    for name, limit in options.limits.items():
        condition = LevelCondition(
            options.input, limit.at, _or(limit.deadband, options.deadband), 1 if "H" in name else -1, point.unit
        )
        timing = Timing(
            _or(limit.on_delay, options.on_delay),
            _or(limit.off_delay, options.off_delay),
            options.latch if limit.latch is None else limit.latch,
        )
        yield Rule(_define_limit(options, name, limit, condition, timing, point), condition, timing)


def _define_limit(
    options: LevelOptions,
    name: LimitName,
    limit: LimitOptions,
    condition: LevelCondition,
    timing: Timing,
    point: PointInfo,
) -> AlarmDefinition:
    sides = dict(zip(("en", "zh"), _SIDES[name], strict=True))
    named = {language: f"{text}: {sides[language]}" for language, text in options.name.items()}
    alarm = f"{options.id}.{name}"
    return _define(
        options.model_copy(update={"name": named, "latch": timing.latch}),
        alarm,
        limit.priority,
        condition,
        options.zone or point.zone,
        point.unit,
        limit.at,
    )


def _define(
    options: RuleOptions,
    alarm: str,
    priority: Priority,
    condition: Condition,
    zone: str,
    unit: str = "",
    limit: float | None = None,
) -> AlarmDefinition:
    return AlarmDefinition(
        id=alarm,
        kind="level" if limit is not None else "condition",
        priority=priority,
        name=options.name,
        inputs=condition.inputs,
        condition=condition.describe(),
        consequence=options.consequence,
        response=options.response,
        post=options.post,
        zone=zone,
        unit=unit,
        limit=limit,
        latch=options.latch,
        outputs=options.outputs,
    )


def _or(value: float | None, otherwise: float) -> float:
    return otherwise if value is None else value
