"""A compiled rule: one alarm, its condition, its timing, and what takes it out of people's way."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from agent.core.calendars import Calendar
from agent.core.durations import format_duration
from agent.core.model import AlarmDefinition
from rules.condition import Condition
from rules.machine import Timing


@dataclass(frozen=True)
class Suppression:
    """Suppressed by design while ``condition`` is True; unknown does not suppress. ``longest_s`` at a time."""

    condition: Condition
    longest_s: float


@dataclass(frozen=True)
class Rule:
    """One alarm. ``describe`` says in words when it is raised.

    ``armed`` names a calendar, and ``calendar`` is it: outside of it the alarm is suppressed. ``yields_to`` is
    the alarm of the more severe limit that stands for this one while it calls.
    """

    definition: AlarmDefinition
    condition: Condition
    timing: Timing
    suppression: Suppression | None = None
    armed: str = ""
    yields_to: str = ""
    calendar: Calendar | None = None

    @property
    def inputs(self) -> tuple[str, ...]:
        """Every point that can change what the alarm does."""
        guards = self.suppression.condition.inputs if self.suppression is not None else ()
        return tuple(dict.fromkeys((*self.condition.inputs, *guards)))

    @cached_property
    def fingerprint(self) -> str:
        """What conditions that are the same have in common: their words and their inputs."""
        return f"{self.condition.describe()} <- {', '.join(self.condition.inputs)}"

    def describe(self) -> str:
        """Return e.g. ``boiler.gas at or above 40 %LEL (deadband 2) for 2s``."""
        delay_s = self.timing.on_delay_s
        return self.condition.describe() + (f" for {format_duration(delay_s)}" if delay_s else "")
