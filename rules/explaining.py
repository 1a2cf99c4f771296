"""Says in words what an alarm does, why it stands where it stands, and why it is not raised. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from agent.core.durations import format_duration
from agent.core.model import Alarm, AlarmState, Deadline, Instant, Removal, Timer
from agent.core.ports import Facts
from rules.condition import number, words
from rules.kinds.level import LevelCondition
from rules.slot import Slot

_STATES = {
    AlarmState.NORMAL: "normal: not active, nothing to acknowledge",
    AlarmState.UNACKNOWLEDGED: "unacknowledged: active, and nobody has taken note",
    AlarmState.ACKNOWLEDGED: "acknowledged: active, and somebody has taken note",
    AlarmState.RETURNED: "returned-unacknowledged: over, and nobody has taken note",
    AlarmState.SHELVED: "shelved: put away for a while; still evaluated, calls nobody",
    AlarmState.SUPPRESSED: "suppressed-by-design: still evaluated, calls nobody",
    AlarmState.OUT_OF_SERVICE: "out-of-service: still evaluated, calls nobody",
}


def rule_lines(slot: Slot) -> Iterator[str]:
    """Yield what the rule does."""
    definition, timing = slot.rule.definition, slot.rule.timing
    yield f"raised when {slot.rule.describe()}"
    if timing.latch:
        yield "latched: stays active until it is acknowledged on site with its condition normal"
    elif timing.off_delay_s:
        yield f"over {format_duration(timing.off_delay_s)} after its condition is normal"
    else:
        yield "over as soon as its condition is normal"
    yield f"priority {definition.priority.name}" + (f", post {definition.post}" if definition.post else "")


def state_lines(slot: Slot, now: Instant) -> Iterator[str]:
    """Yield where the alarm stands, since when, and its flags."""
    alarm = slot.alarm
    yield _STATES[alarm.state]
    if alarm.state is not alarm.process:
        yield f"for itself it is {alarm.process}"
    for moment, what in ((alarm.raised_at, "raised"), (alarm.cleared_at, "over")):
        if moment is not None:
            yield f"{what} {_ago(moment, now)}"
    if alarm.acknowledged_at is not None:
        note = f": {alarm.note}" if alarm.note else ""
        yield f"acknowledged {_ago(alarm.acknowledged_at, now)} by {alarm.acknowledged_by}{note}"
    known = "unknown" if alarm.exceeded is None else "true" if alarm.exceeded else "false"
    yield f"its condition is {known} now"
    yield from _flags(alarm)


def input_lines(slot: Slot, facts: Facts, now: Instant) -> Iterator[str]:
    """Yield each input's value, quality and age, and what the condition makes of them."""
    yield from slot.rule.condition.explain(facts, slot.memory, now)
    if slot.rule.suppression is not None:
        for point in slot.rule.suppression.condition.inputs:
            yield f"{point} {words(facts.get(point, now.mono_s), now)} (for the suppression)"


def timer_lines(slot: Slot, now: Instant) -> Iterator[str]:
    """Yield the delays and deadlines that run, and what is left of each."""
    alarm = slot.alarm
    if alarm.timer is not None:
        yield _timer(alarm.timer, now)
    if alarm.escalate is not None:
        step = slot.rule.timing.escalation[alarm.escalated]
        yield f"calls {step.post} in {_left(alarm.escalate, now)} if nobody acknowledges"
    if alarm.re_alarm is not None:
        yield f"calls again in {_left(alarm.re_alarm, now)} if it is still active"


def removal_lines(slot: Slot, now: Instant) -> Iterator[str]:
    """Yield what takes the alarm out of people's way now."""
    alarm = slot.alarm
    for removal, what in (
        (alarm.out_of_service, "out of service"),
        (alarm.shelved, "shelved"),
        (alarm.suppressed, "suppressed by design"),
    ):
        if removal is not None:
            yield _removal(removal, what, now)
    if alarm.suppression_spent:
        yield "its suppression has lasted as long as it may; it suppresses again once its reason has ended"
    if alarm.superseded and slot.outer is not None:
        yield f"superseded: {slot.outer.alarm.id}, the more severe limit, stands for it"
    calendar = slot.rule.calendar
    if calendar is not None:
        yield f"calendar {calendar.name} {'covers' if calendar.covers(now.utc) else 'does not cover'} this moment"
    for parent in slot.parents:
        if parent.alarm.calls:
            yield f"{parent.alarm.id}, which would explain it, calls now"


def why_not(slot: Slot, facts: Facts, now: Instant) -> Iterator[str]:
    """Yield why the alarm does not call anybody now."""
    alarm = slot.alarm
    if alarm.calls:
        yield f"it does call: {_STATES[alarm.state]}"
        return
    yield from removal_lines(slot, now)
    if alarm.active:
        return
    if alarm.superseded:
        return
    if alarm.exceeded is None:
        yield "its condition is unknown, and unknown never raises an alarm:"
        yield from (f"  {line}" for line in input_lines(slot, facts, now))
    elif alarm.exceeded:
        yield "its condition is true, and its on-delay has not passed yet"
    else:
        yield from _false(slot, facts, now)
    if alarm.timer is not None:
        yield _timer(alarm.timer, now)


def _false(slot: Slot, facts: Facts, now: Instant) -> Iterator[str]:
    yield "its condition is false:"
    condition = slot.rule.condition
    if isinstance(condition, LevelCondition):
        value = number(facts.get(condition.point, now.mono_s))
        if value is not None:
            unit = f" {condition.unit}" if condition.unit else ""
            way = "rise" if condition.sign > 0 else "fall"
            far = f"{abs(condition.at - value):.6g}{unit}"
            yield f"  {condition.point} must {way} by {far} to reach {condition.at:g}{unit}"
    yield from (f"  {line}" for line in input_lines(slot, facts, now))


def _flags(alarm: Alarm) -> Iterator[str]:
    if alarm.degraded:
        yield "degraded: an input is not good; what is unknown freezes the delays, raises nothing and clears nothing"
    if alarm.silenced:
        yield "silenced: its sound is off, which is not acknowledging"
    if alarm.chattering:
        yield "chattering: it was raised more often than 3 times within a minute"
    if alarm.first_out:
        yield "first-out: the first of its group"
    if alarm.escalated:
        yield f"escalated {alarm.escalated} time(s)"


def _timer(timer: Timer, now: Instant) -> str:
    if timer.due_s is None:
        return f"{timer.kind} is frozen with {timer.remaining_s:.1f} s left, because an input is unknown"
    return f"{timer.kind} runs, {max(timer.due_s - now.mono_s, 0.0):.1f} s left"


def _removal(removal: Removal, what: str, now: Instant) -> str:
    who = f" by {removal.by}" if removal.by else ""
    second = f" and {removal.second}" if removal.second else ""
    until = f", {_left(removal.until, now)} left" if removal.until is not None else ""
    return f"{what}{who}{second} {_ago(removal.since, now)}: {removal.reason}{until}"


def _left(deadline: Deadline, now: Instant) -> str:
    return format_duration(round(max(deadline.mono_s - now.mono_s, 0.0), 1))


def _ago(moment: datetime, now: Instant) -> str:
    passed_s = float(max(round((now.utc - moment).total_seconds()), 0))
    passed = f"{format_duration(passed_s)} ago" if passed_s else "just now"
    return f"{passed} ({moment:%Y-%m-%d %H:%M:%S} UTC)"
