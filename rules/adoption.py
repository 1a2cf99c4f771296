"""What becomes of an alarm when its rule is replaced by another of the same id, or is gone. Pure.

The alarm goes on: its occurrence, its acknowledgement, its running delay. What the new rule does not allow
any longer, such as a long shelf, ends; what it adds for an alarm that calls, such as an escalation, begins.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from agent.core.model import Action, Alarm, AlarmState, Change, Deadline, Instant, Transition
from rules.machine import Timing
from rules.rule import Rule
from rules.slot import Slot


def carried(alarm: Alarm, before: Rule, after: Rule, now: Instant) -> Alarm:
    """Return ``alarm`` as it goes on under ``after``; the same object where nothing is different."""
    alarm = _shelf(alarm, after, now)
    if before.timing.escalation != after.timing.escalation:
        alarm = _escalation(alarm, after.timing, now)
    if before.timing.re_alarm_s != after.timing.re_alarm_s:
        alarm = replace(alarm, re_alarm=_re_alarm(alarm, after.timing, now))
    return alarm


def same_verdict(one: Slot, other: Slot) -> bool:
    """Tell whether both make the same of the same facts, so that the other need not look at once."""
    same = one.rule.fingerprint == other.rule.fingerprint and one.rule.timing == other.rule.timing
    return same and _outer(one) == _outer(other) and same_design(one, other)


def same_design(one: Slot, other: Slot) -> bool:
    """Tell whether both are suppressed by the same."""
    return _design(one) == _design(other)


def removed(alarm: Alarm, rule: Rule, now: Instant) -> Change | None:
    """Return the end of an alarm whose rule is gone; None if there is nothing to end."""
    if alarm.state is AlarmState.NORMAL:
        over = ended(alarm, None)
        return Change(over) if over != replace(alarm, exceeded=None) else None
    over = ended(alarm, now)
    priority = rule.definition.priority
    told = Transition(
        alarm.id, alarm.occurrence, Action.REMOVED, alarm.state, over.state, priority, alarm.value, now, None
    )
    return Change(over, told)


def ended(alarm: Alarm, now: Instant | None) -> Alarm:
    """Return an alarm without anything that stands or runs; cleared ``now`` unless it was normal."""
    return replace(alarm, process=AlarmState.NORMAL, active=False, shelved=None, suppressed=None, out_of_service=None,
                   timer=None, escalate=None, re_alarm=None, exceeded=None, superseded=False,
                   cleared_at=now.utc if now is not None else alarm.cleared_at)  # fmt: skip


def _shelf(alarm: Alarm, rule: Rule, now: Instant) -> Alarm:
    """A shelf lasts no longer than the new rule allows: not at all if the alarm has become a P1."""
    shelf = alarm.shelved
    if shelf is None or shelf.until is None:
        return alarm
    longest = Deadline.after(rule.definition.longest_shelf_s, now)
    if shelf.until.mono_s <= longest.mono_s:
        return alarm
    return replace(alarm, shelved=replace(shelf, until=longest))


def _escalation(alarm: Alarm, timing: Timing, now: Instant) -> Alarm:
    """The steps that were taken stay taken; the next one is due as long after the last call as the rule says."""
    steps, taken = timing.escalation, min(alarm.escalated, len(timing.escalation))
    waits = alarm.active and alarm.process is AlarmState.UNACKNOWLEDGED
    if not waits or taken >= len(steps) or alarm.called is None:
        return replace(alarm, escalated=taken, escalate=None)
    wait_s = steps[taken].after_s - (steps[taken - 1].after_s if taken else 0.0)
    left_s = max(alarm.called.mono_s + wait_s - now.mono_s, 0.0)
    return replace(alarm, escalated=taken, escalate=Deadline(now.mono_s + left_s, now.utc + timedelta(seconds=left_s)))


def _re_alarm(alarm: Alarm, timing: Timing, now: Instant) -> Deadline | None:
    if timing.re_alarm_s is None or not alarm.active or alarm.process is not AlarmState.ACKNOWLEDGED:
        return None
    again = Deadline.after(timing.re_alarm_s, now)
    return min(alarm.re_alarm, again) if alarm.re_alarm is not None else again


def _outer(slot: Slot) -> str:
    return slot.outer.alarm.id if slot.outer is not None else ""


def _design(slot: Slot) -> tuple[object, ...]:
    suppression = slot.rule.suppression
    what = (suppression.condition.describe(), suppression.longest_s) if suppression is not None else None
    return what, slot.rule.calendar, tuple(parent.rule.definition.id for parent in slot.parents)
