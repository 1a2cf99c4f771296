"""Runs every rule's state machine over the facts. Synchronous and pure in (state, facts, now)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from math import inf
from typing import Any

from agent.core.hazard import Hazard
from agent.core.model import (
    Action,
    Alarm,
    AlarmDefinition,
    AlarmState,
    Change,
    Delays,
    Instant,
    Operator,
    Quality,
    Sample,
    Transition,
)
from agent.core.ports import Facts
from rules import adoption, deadlines, machine, removal
from rules.rule import Rule
from rules.slot import Slot, Step

_ALWAYS = (inf, -inf)
"""The band of a point of which every value must be judged."""
_ROUNDS = 8
"""More deadlines of one alarm than that do not pass at once."""


class Engine:
    """See ``agent.core.ports.RuleEngine``."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        self._slots = {rule.definition.id: Slot(rule) for rule in rules}
        self._definitions = {id_: slot.rule.definition for id_, slot in self._slots.items()}
        self._by_point: dict[str, list[Slot]] = {}
        self._groups: dict[str, list[Slot]] = {}
        self._standing: dict[str, Alarm] = {}
        self._due: dict[str, Slot] = {}
        self._due_s = inf
        self._bands: dict[str, tuple[float, float]] = {}
        self._again: dict[str, Slot] = {}
        for slot in self._slots.values():
            self._connect(slot)
        counting = [slot.rule.condition for slot in self._slots.values() if slot.rule.condition.counts]
        self._counted = frozenset(point for condition in counting for point in condition.inputs)
        self._timed = [slot for slot in self._slots.values() if slot.is_timed]

    @property
    def definitions(self) -> Mapping[str, AlarmDefinition]:
        """Every alarm by id."""
        return self._definitions

    @property
    def alarms(self) -> Mapping[str, Alarm]:
        """The present state of every alarm by id."""
        return {id_: slot.alarm for id_, slot in self._slots.items()}

    @property
    def standing(self) -> Mapping[str, Alarm]:
        """The alarms that are not normal, by id."""
        return self._standing

    @property
    def counted(self) -> frozenset[str]:
        """Points of which every sample counts."""
        return self._counted

    @property
    def slots(self) -> Mapping[str, Slot]:
        """The rules at work, by alarm, for who explains them."""
        return self._slots

    @property
    def points(self) -> Collection[str]:
        """The points that some rule looks at."""
        return self._by_point.keys()

    @property
    def quiet(self) -> Mapping[str, tuple[float, float]]:
        """Of some points, the open interval of GOOD numbers that would change nothing at present."""
        return self._bands

    @property
    def is_timed(self) -> bool:
        """Whether some rule must be looked at once a second though no sample came."""
        return bool(self._timed)

    def describe(self, alarm: str) -> str:
        """Say in words when ``alarm`` is raised. Raises KeyError."""
        return self._slots[alarm].rule.describe()

    def delays(self, alarm: str) -> Delays:
        """Return the delays of ``alarm`` as they are now. Raises KeyError."""
        slot = self._slots[alarm]
        off_s = machine.off_delay_s(slot.alarm, slot.rule.timing)
        return Delays(slot.rule.timing.on_delay_s, off_s, off_s > slot.rule.timing.off_delay_s)

    def restore(self, alarms: Iterable[Alarm], same_boot: bool, now: Instant) -> None:
        """Take up saved states; ids without a rule are ignored, and so is what has been raised here since."""
        for alarm in alarms:
            slot = self._slots.get(alarm.id)
            if slot is not None and deadlines.is_untouched(slot.alarm):
                if slot.alarm.exceeded is not None or slot.alarm.degraded:
                    self._again[alarm.id] = slot
                self._set(slot, deadlines.belated(deadlines.restored(alarm, same_boot, now), slot.alarm))

    def adopt(self, before: Engine, now: Instant) -> list[Change]:
        """Take over alarms, timers and memories from the engine that ran before, by id.

        A memory is taken over only if the condition is the same, a suppression only if its design is. An alarm
        whose rule is gone is told as removed. Nothing is judged here: the next ``evaluate`` looks at the rules that
        are not what they were.
        """
        changes: list[Change] = []
        for id_, slot in self._slots.items():
            old = before._slots.get(id_)
            if old is None or id_ in before._again:
                self._again[id_] = slot
            if old is not None:
                self._take_over(old, slot, now, changes)
        gone = (slot for id_, slot in before._slots.items() if id_ not in self._slots)
        ended = (adoption.removed(slot.alarm, slot.rule, now) for slot in gone)
        return [*(change for change in ended if change is not None), *changes]

    def _take_over(self, old: Slot, slot: Slot, now: Instant, changes: list[Change]) -> None:
        alarm = adoption.carried(old.alarm, old.rule, slot.rule, now)
        self._set(slot, alarm)
        if old.rule.fingerprint == slot.rule.fingerprint:
            slot.memory = old.memory
        if alarm is not old.alarm:
            changes.append(Change(alarm))
        if not adoption.same_verdict(old, slot):
            self._again[alarm.id] = slot
        if not adoption.same_design(old, slot):
            if alarm.suppressed is not None:
                self._put(slot, *removal.unsuppress(alarm, slot.rule.timing, now), now, None, changes)
            self._put(slot, replace(slot.alarm, suppression_spent=False), None, now, None, changes)

    def evaluate(self, facts: Facts, changed: Sequence[Sample] | None, now: Instant) -> list[Change]:
        """Judge what depends on the ``changed`` samples (None: everything), and what is due."""
        changes: list[Change] = []
        for slot in self._concerned(changed, now.mono_s):
            self._look(slot, facts, now, changes)
        while self._again:
            _, slot = self._again.popitem()
            self._look(slot, facts, now, changes)
        return changes

    def sweep(self, facts: Facts, stale: Sequence[Sample], now: Instant) -> list[Change]:
        """Judge what time alone may change: ``stale`` points, and rules that look at the clock."""
        self._again.update((slot.alarm.id, slot) for slot in self._timed)
        return self.evaluate(facts, stale, now)

    def acknowledge(self, alarm: str, operator: Operator, now: Instant) -> list[Change]:
        """Acknowledge one alarm. Raises KeyError for an unknown id."""
        slot = self._slots[alarm]
        return self._act(slot, machine.acknowledge(slot.alarm, operator, slot.rule.timing, now), operator, now)

    def silence(self, alarm: str | None, operator: Operator, now: Instant) -> list[Change]:
        """Silence one alarm, or all that sound. Raises KeyError for an unknown id."""
        slots = [self._slots[id_] for id_ in (list(self._standing) if alarm is None else [alarm])]
        return [change for slot in slots for change in self._act(slot, machine.silence(slot.alarm), operator, now)]

    def shelve(self, alarm: str, seconds: float, operator: Operator, now: Instant) -> list[Change]:
        """Put an alarm away for a while. Raises KeyError, NotAllowed."""
        slot = self._slots[alarm]
        return self._act(slot, removal.shelve(slot.alarm, slot.rule.definition, seconds, operator, now), operator, now)

    def unshelve(self, alarm: str, operator: Operator, now: Instant) -> list[Change]:
        """Take an alarm off its shelf. Raises KeyError."""
        slot = self._slots[alarm]
        return self._act(slot, removal.unshelve(slot.alarm, slot.rule.timing, now), operator, now)

    def take_out(self, alarm: str, second: str, operator: Operator, now: Instant) -> list[Change]:
        """Take an alarm out of service; ``second`` is who else agreed. Raises KeyError, NotAllowed."""
        slot = self._slots[alarm]
        return self._act(slot, removal.take_out(slot.alarm, second, operator, now), operator, now)

    def bring_back(self, alarm: str, operator: Operator, now: Instant) -> list[Change]:
        """Put an alarm into service again. Raises KeyError."""
        slot = self._slots[alarm]
        return self._act(slot, removal.bring_back(slot.alarm, slot.rule.timing, now), operator, now)

    def tell_hazard(self, alarm: str, hazard: Hazard, operator: Operator, now: Instant) -> list[Change]:
        """Keep what the centre says of an alarm's hazard; nothing else of it changes. Raises KeyError."""
        slot = self._slots[alarm]
        return self._act(slot, (replace(slot.alarm, hazard=hazard), Action.HAZARD), operator, now)

    def next_due_s(self) -> float | None:
        """Return the monotonic time of the earliest timer, or None."""
        self._due_s = min((slot.due_s for slot in self._due.values() if slot.due_s is not None), default=inf)
        return self._due_s if self._due_s < inf else None

    def _connect(self, slot: Slot) -> None:
        for point in slot.rule.inputs:
            self._by_point.setdefault(point, []).append(slot)
        if slot.rule.definition.group:
            self._groups.setdefault(slot.rule.definition.group, []).append(slot)
        slot.outer = self._slots.get(slot.rule.yields_to)
        for id_ in slot.rule.definition.parents:
            if id_ in self._slots:
                slot.explained_by(self._slots[id_])
        for other in (*slot.parents, *([slot.outer] if slot.outer is not None else [])):
            other.dependents.append(slot)

    def _concerned(self, changed: Sequence[Sample] | None, now_s: float) -> Iterable[Slot]:
        if changed is None:
            return list(self._slots.values())
        slots: dict[str, Slot] = {}
        for point in self._noteworthy(changed):
            for slot in self._by_point.get(point, ()):
                slots[slot.alarm.id] = slot
        if now_s >= self._due_s:
            for slot in self._due.values():
                if slot.due_s is not None and slot.due_s <= now_s:
                    slots[slot.alarm.id] = slot
            self.next_due_s()
        return slots.values()

    def _noteworthy(self, changed: Sequence[Sample]) -> Iterator[str]:
        """Yield the points whose new value may change a verdict: most lie quietly between their limits."""
        bands, good = self._bands.get, Quality.GOOD
        for sample in changed:
            low, high = bands(sample[0], _ALWAYS)
            value: Any = sample[1]
            plain = value.__class__ is float or value.__class__ is int
            if not (plain and low < value < high and sample[2] is good):
                yield sample[0]

    def _look(self, slot: Slot, facts: Facts, now: Instant, changes: list[Change]) -> None:
        if slot.due_s is not None and slot.due_s <= now.mono_s:
            for _ in range(_ROUNDS):
                after, action = deadlines.pass_time(slot.alarm, slot.rule.timing, now)
                self._put(slot, after, action, now, None, changes)
                if action is None:
                    break
        if slot.is_guarded or slot.alarm.suppressed is not None:
            self._put(slot, *slot.guard(facts, now), now, None, changes)
        self._put(slot, *slot.look(facts, now), now, None, changes)
        if slot.limit is not None:
            self._rebound(slot.limit.point)

    def _act(self, slot: Slot, step: Step, operator: Operator, now: Instant) -> list[Change]:
        changes: list[Change] = []
        if step[1] is not None:
            self._put(slot, *step, now, operator, changes)
        return changes

    def _put(
        self,
        slot: Slot,
        after: Alarm,
        action: Action | None,
        now: Instant,
        operator: Operator | None,
        changes: list[Change],
    ) -> None:
        before = slot.alarm
        if after is before:
            return
        if action is Action.RAISED and slot.rule.definition.group:
            after = replace(after, first_out=self._is_first(slot))
        self._set(slot, after)
        if before.calls != after.calls:
            self._again.update((each.alarm.id, each) for each in slot.dependents)
        if action is not None:
            changes.append(Change(after, _transition(slot, before, action, now, operator)))
        elif replace(after, exceeded=before.exceeded) != before:
            changes.append(Change(after))
        if after.chattering and not before.chattering:
            changes.append(Change(after, _transition(slot, after, Action.CHATTERING, now, None)))

    def _set(self, slot: Slot, alarm: Alarm) -> None:
        slot.alarm = alarm
        if alarm.state is AlarmState.NORMAL:
            self._standing.pop(alarm.id, None)
        else:
            self._standing[alarm.id] = alarm
        slot.due_s = deadlines.due_s(alarm)
        if slot.due_s is None:
            self._due.pop(alarm.id, None)
        else:
            self._due[alarm.id] = slot
            self._due_s = min(self._due_s, slot.due_s)
        if slot.limit is not None:
            self._bands.pop(slot.limit.point, None)

    def _rebound(self, point: str) -> None:
        """Find the values of ``point`` that would change nothing."""
        low, high = -inf, inf
        for slot in self._by_point[point]:
            if slot.alarm.superseded:
                continue  # its outer limit changes first
            band = slot.band()
            if band is None:
                self._bands.pop(point, None)
                return
            low, high = max(low, band[0]), min(high, band[1])
        self._bands[point] = (low, high)

    def _is_first(self, slot: Slot) -> bool:
        group = self._groups[slot.rule.definition.group]
        return all(other is slot or other.alarm.process is AlarmState.NORMAL for other in group)


def _transition(slot: Slot, before: Alarm, action: Action, now: Instant, operator: Operator | None) -> Transition:
    after = slot.alarm
    priority = slot.rule.definition.priority
    return Transition(
        after.id, after.occurrence, action, before.state, after.state, priority, after.value, now, operator
    )
