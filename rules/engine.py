"""Runs every rule's state machine over the facts. Synchronous and pure in (state, facts, now)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace

from agent.core.model import Alarm, AlarmDefinition, Change, Instant, Operator, Transition
from agent.core.ports import Facts
from rules import machine
from rules.rule import Rule


class _Slot:
    """One rule and where its alarm stands."""

    __slots__ = ("alarm", "rule")

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self.alarm = Alarm(rule.definition.id)


class Engine:
    """See ``agent.core.ports.RuleEngine``."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        self._slots = {rule.definition.id: _Slot(rule) for rule in rules}
        self._definitions = {id_: slot.rule.definition for id_, slot in self._slots.items()}
        self._by_point: dict[str, list[_Slot]] = {}
        self._timed: dict[str, _Slot] = {}
        for slot in self._slots.values():
            for point in set(slot.rule.condition.inputs):
                self._by_point.setdefault(point, []).append(slot)

    @property
    def definitions(self) -> Mapping[str, AlarmDefinition]:
        """Every alarm by id."""
        return self._definitions

    @property
    def alarms(self) -> Mapping[str, Alarm]:
        """The present state of every alarm by id."""
        return {id_: slot.alarm for id_, slot in self._slots.items()}

    def describe(self, alarm: str) -> str:
        """Say in words when ``alarm`` is raised. Raises KeyError."""
        return self._slots[alarm].rule.describe()

    def restore(self, alarms: Iterable[Alarm], same_boot: bool, now: Instant) -> None:  # noqa: ARG002
        """Take up saved states; ids without a rule are ignored."""
        for alarm in alarms:
            slot = self._slots.get(alarm.id)
            if slot is not None:
                slot.alarm = machine.restored(alarm, same_boot)
                self._time(slot)

    def evaluate(self, facts: Facts, changed: Collection[str] | None, now: Instant) -> list[Change]:
        """Evaluate what depends on ``changed`` (None: everything), and every timer that is due."""
        changes: list[Change] = []
        for slot in self._concerned(changed, now.mono_s):
            before = slot.alarm
            held = before.active if before.exceeded is None else before.exceeded
            verdict = slot.rule.condition.judge(facts, held, now.mono_s)
            after, action = machine.step(before, verdict, slot.rule.timing, now)
            if after is not before:
                changes.extend(self._put(slot, after, action, now, None))
        return changes

    def acknowledge(self, alarm: str, operator: Operator, now: Instant) -> list[Change]:
        """Acknowledge one alarm. Raises KeyError for an unknown id."""
        slot = self._slots[alarm]
        after, action = machine.acknowledge(slot.alarm, operator, slot.rule.timing, now)
        return list(self._put(slot, after, action, now, operator)) if action else []

    def silence(self, alarm: str | None, operator: Operator, now: Instant) -> list[Change]:
        """Silence one alarm, or all that sound. Raises KeyError for an unknown id."""
        changes: list[Change] = []
        for slot in [self._slots[alarm]] if alarm is not None else self._slots.values():
            after, action = machine.silence(slot.alarm)
            if action:
                changes.extend(self._put(slot, after, action, now, operator))
        return changes

    def next_due_s(self) -> float | None:
        """Return the monotonic time of the earliest timer, or None."""
        due = [slot.alarm.timer.due_s for slot in self._timed.values() if slot.alarm.timer and slot.alarm.timer.due_s]
        return min(due, default=None)

    def _concerned(self, changed: Collection[str] | None, now_s: float) -> Iterable[_Slot]:
        if changed is None:
            return list(self._slots.values())
        slots = {id(slot): slot for point in changed for slot in self._by_point.get(point, ())}
        for slot in self._timed.values():
            timer = slot.alarm.timer
            if timer is not None and timer.due_s is not None and timer.due_s <= now_s:
                slots[id(slot)] = slot
        return slots.values()

    def _put(
        self, slot: _Slot, after: Alarm, action: str | None, now: Instant, operator: Operator | None
    ) -> Iterator[Change]:
        before, slot.alarm = slot.alarm, after
        self._time(slot)
        if action is not None:
            definition = slot.rule.definition
            yield Change(
                after,
                Transition(
                    after.id,
                    after.occurrence,
                    action,
                    before.state,
                    after.state,
                    definition.priority,
                    after.value,
                    now,
                    operator,
                ),
            )
        elif replace(after, exceeded=before.exceeded) != before:
            yield Change(after)

    def _time(self, slot: _Slot) -> None:
        if slot.alarm.timer is not None and slot.alarm.timer.due_s is not None:
            self._timed[slot.alarm.id] = slot
        else:
            self._timed.pop(slot.alarm.id, None)
