"""One rule at work: where its alarm stands, what it remembers, and what depends on it."""

from __future__ import annotations

from dataclasses import replace

from agent.core.model import Action, Alarm, Instant
from agent.core.ports import Facts
from rules import machine, removal
from rules.kinds.level import LevelCondition
from rules.rule import Rule

Step = tuple[Alarm, Action | None]


class Slot:
    """``outer`` stands for this one while it calls; ``parents`` explain it; ``dependents`` look at this one."""

    __slots__ = ("alarm", "dependents", "due_s", "is_guarded", "limit", "memory", "outer", "parents", "rule")

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self.alarm = Alarm(rule.definition.id)
        self.memory = rule.condition.remember()
        self.limit = rule.condition if isinstance(rule.condition, LevelCondition) else None
        self.outer: Slot | None = None
        self.parents: list[Slot] = []
        self.dependents: list[Slot] = []
        self.due_s: float | None = None
        self.is_guarded = rule.suppression is not None or rule.calendar is not None
        """Whether something may suppress it."""

    @property
    def is_timed(self) -> bool:
        """Whether it must be looked at once a second though no sample came."""
        return self.rule.condition.timed or self.is_guarded

    def explained_by(self, parent: Slot) -> None:
        """Let ``parent`` suppress it while that one calls."""
        self.parents.append(parent)
        self.is_guarded = True

    def look(self, facts: Facts, now: Instant) -> Step:
        """Return the alarm after a look at the facts."""
        if self.outer is not None and self.outer.alarm.calls:
            return machine.supersede(self.alarm, now)
        before = self.alarm
        held = before.active or before.superseded if before.exceeded is None else before.exceeded
        verdict = self.rule.condition.judge(facts, self.memory, held, now)
        return machine.step(before, verdict, self.rule.timing, now)

    def guard(self, facts: Facts, now: Instant) -> Step:
        """Return the alarm suppressed or no longer suppressed, as its design says."""
        alarm, reason = self.alarm, self._why_suppressed(facts, now)
        if reason is None:
            if alarm.suppressed is None:
                return self._unspent(), None
            return removal.unsuppress(alarm, self.rule.timing, now)
        if alarm.suppressed is not None or alarm.suppression_spent:
            return alarm, None
        return removal.suppress(alarm, *reason, now)

    def band(self) -> tuple[float, float] | None:
        """Return the open interval of GOOD values that change nothing, or None if a value must be judged."""
        alarm = self.alarm
        if self.limit is None or self.rule.suppression is not None or alarm.exceeded is None or alarm.degraded:
            return None
        return self.limit.band(alarm.exceeded)

    def _unspent(self) -> Alarm:
        return replace(self.alarm, suppression_spent=False) if self.alarm.suppression_spent else self.alarm

    def _why_suppressed(self, facts: Facts, now: Instant) -> tuple[str, float | None] | None:
        """Return the reason and how long it may last, None if there is none."""
        for parent in self.parents:
            if parent.alarm.calls and parent.rule.definition.priority <= self.rule.definition.priority:
                return f"{parent.alarm.id} explains it", None
        calendar, suppression = self.rule.calendar, self.rule.suppression
        if calendar is not None and not calendar.covers(now.utc):
            return f"not armed: outside of {calendar.name}", None
        if suppression is not None and suppression.condition.judge(facts, None, False, now).exceeded:
            return suppression.condition.describe(), suppression.longest_s
        return None
