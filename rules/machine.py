"""The alarm state machine (ISA-18.2 / IEC 62682). Pure: (alarm, verdict, timing, now) → (alarm, action).

Unknown never raises and never clears: it freezes the running delay and marks the alarm degraded.
What takes an alarm out of people's way is in ``rules.removal``; deadlines are in ``rules.deadlines``.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace

from agent.core.model import Action, Alarm, AlarmState, Deadline, Escalation, Instant, Operator, Timer, TimerKind
from rules.condition import Verdict

_NAMESPACE = uuid.UUID("7f7c1c5e-6d0b-4c0e-9a7e-0b6f6a1d5a10")

CHATTER_COUNT = 3
CHATTER_WITHIN_S = 60.0
"""More than so many raises within that time: the alarm chatters (FIELD §5.3, 11)."""
CHATTER_MEMORY_S = 600.0
"""It is steady again when there were no more than CHATTER_COUNT raises in that time."""
LONGEST_STRETCH_S = 300.0
_MOST_ACTIVATIONS = 12
REMOTE = ("mqtt", "sparkplug")
"""Ways in which nobody stands before the plant."""


@dataclass(frozen=True, slots=True)
class Timing:
    """Delays in seconds. A latched alarm stays active until it is acknowledged on site with its condition normal.

    ``re_alarm_s``: an acknowledged alarm that is still active after that long calls again.
    """

    on_delay_s: float = 0.0
    off_delay_s: float = 0.0
    latch: bool = False
    re_alarm_s: float | None = None
    escalation: tuple[Escalation, ...] = ()
    stretches: bool = True
    """Whether chatter makes the off-delay longer; else it is only told."""


def step(alarm: Alarm, verdict: Verdict, timing: Timing, now: Instant) -> tuple[Alarm, Action | None]:
    """Return the alarm after ``verdict``, and the action to report, if any. The same object means: no change."""
    if verdict.exceeded is None:
        return _freeze(alarm, now), None
    if verdict.exceeded == alarm.active or (timing.latch and not verdict.exceeded):
        return _settle(alarm, verdict), None
    timer = _running(alarm, verdict.exceeded, timing, now)
    if timer.due_s is not None and timer.due_s <= now.mono_s:
        return _raise(alarm, verdict, timing, now) if verdict.exceeded else _end(alarm, verdict, now)
    if timer is alarm.timer and verdict.exceeded == alarm.exceeded and verdict.degraded == alarm.degraded:
        return alarm, None
    return replace(alarm, exceeded=verdict.exceeded, timer=timer, degraded=verdict.degraded), None


def supersede(alarm: Alarm, now: Instant) -> tuple[Alarm, Action | None]:
    """End an alarm because a more severe limit of the same rule took over; whoever answers that one answers both."""
    if alarm.superseded and not alarm.active:
        return alarm, None
    ended = replace(alarm, superseded=True, exceeded=None, timer=None, escalate=None, re_alarm=None)
    if alarm.process is AlarmState.NORMAL:
        return ended, None
    return replace(ended, process=AlarmState.NORMAL, active=False, cleared_at=now.utc), Action.SUPERSEDED


def acknowledge(alarm: Alarm, operator: Operator, timing: Timing, now: Instant) -> tuple[Alarm, Action | None]:
    """Acknowledge; on site also reset a latched alarm whose condition is known to be normal."""
    stamped = replace(
        alarm, acknowledged_at=now.utc, acknowledged_by=operator.name, note=operator.note, escalate=None, re_alarm=None
    )
    if timing.latch and alarm.active and alarm.exceeded is False and operator.via not in REMOTE:
        ended = replace(stamped, process=AlarmState.NORMAL, active=False, cleared_at=now.utc, timer=None)
        return ended, Action.RESET
    if alarm.process is AlarmState.UNACKNOWLEDGED:
        again = Deadline.after(timing.re_alarm_s, now) if timing.re_alarm_s else None
        return replace(stamped, process=AlarmState.ACKNOWLEDGED, re_alarm=again), Action.ACKNOWLEDGED
    if alarm.process is AlarmState.RETURNED:
        return replace(stamped, process=AlarmState.NORMAL), Action.ACKNOWLEDGED
    return alarm, None


def silence(alarm: Alarm) -> tuple[Alarm, Action | None]:
    """Stop the sound of an unacknowledged alarm; nothing else changes (silence is not acknowledgement)."""
    if alarm.process is AlarmState.UNACKNOWLEDGED and not alarm.silenced:
        return replace(alarm, silenced=True), Action.SILENCED
    return alarm, None


def call_again(alarm: Alarm, timing: Timing, now: Instant) -> Alarm:
    """Let an active alarm call as if it were new, in the same occurrence."""
    if not alarm.active:
        return alarm
    return replace(
        alarm,
        process=AlarmState.UNACKNOWLEDGED,
        silenced=False,
        called=now,
        re_alarm=None,
        escalated=0,
        escalate=first_escalation(timing, now),
    )


def first_escalation(timing: Timing, now: Instant) -> Deadline | None:
    """Return when the first step of the escalation is due."""
    return Deadline.after(timing.escalation[0].after_s, now) if timing.escalation else None


def off_delay_s(alarm: Alarm, timing: Timing) -> float:
    """Return the off-delay: of an alarm that chatters it doubles with every further raise, up to 5 min."""
    if not (alarm.chattering and timing.stretches):
        return timing.off_delay_s
    doublings = max(len(alarm.activations) - CHATTER_COUNT, 0)
    stretched_s = min(max(timing.off_delay_s, 1.0) * 2.0**doublings, LONGEST_STRETCH_S)
    return max(stretched_s, timing.off_delay_s)


def _freeze(alarm: Alarm, now: Instant) -> Alarm:
    timer = alarm.timer
    if timer is not None and timer.due_s is not None:
        timer = Timer(timer.kind, max(timer.due_s - now.mono_s, 0.0), None)
    if timer is alarm.timer and alarm.exceeded is None and alarm.degraded:
        return alarm
    return replace(alarm, exceeded=None, timer=timer, degraded=True)


def _settle(alarm: Alarm, verdict: Verdict) -> Alarm:
    same = alarm.exceeded == verdict.exceeded and alarm.degraded == verdict.degraded
    if alarm.timer is None and same and not alarm.superseded:
        return alarm
    return replace(alarm, exceeded=verdict.exceeded, timer=None, degraded=verdict.degraded, superseded=False)


def _running(alarm: Alarm, rising: bool, timing: Timing, now: Instant) -> Timer:
    kind = TimerKind.ON if rising else TimerKind.OFF
    timer = alarm.timer
    if timer is None or timer.kind is not kind:
        delay_s = _on_delay_s(alarm, timing) if rising else off_delay_s(alarm, timing)
        return Timer(kind, delay_s, now.mono_s + delay_s)
    return timer if timer.due_s is not None else Timer(kind, timer.remaining_s, now.mono_s + timer.remaining_s)


def _on_delay_s(alarm: Alarm, timing: Timing) -> float:
    """A limit that comes back when the more severe one ends has been exceeded all the time."""
    return 0.0 if alarm.superseded else timing.on_delay_s


def _end(alarm: Alarm, verdict: Verdict, now: Instant) -> tuple[Alarm, Action]:
    ended = replace(
        alarm,
        exceeded=False,
        timer=None,
        degraded=verdict.degraded,
        value=verdict.value,
        active=False,
        cleared_at=now.utc,
        escalate=None,
        re_alarm=None,
    )
    if alarm.process is AlarmState.ACKNOWLEDGED:
        return replace(ended, process=AlarmState.NORMAL), Action.CLEARED
    return replace(ended, process=AlarmState.RETURNED), Action.RETURNED


def _raise(alarm: Alarm, verdict: Verdict, timing: Timing, now: Instant) -> tuple[Alarm, Action]:
    count = alarm.count + 1
    activations = _activations(alarm, now)
    quick = sum(now.mono_s - moment < CHATTER_WITHIN_S for moment in activations)
    return replace(
        alarm,
        process=AlarmState.UNACKNOWLEDGED,
        exceeded=True,
        active=True,
        timer=None,
        degraded=verdict.degraded,
        value=verdict.value,
        silenced=False,
        superseded=False,
        count=count,
        occurrence=str(uuid.uuid5(_NAMESPACE, f"{alarm.id}/{count}/{now.utc.isoformat()}")),
        raised_at=now.utc,
        cleared_at=None,
        acknowledged_at=None,
        acknowledged_by="",
        note="",
        called=now,
        re_alarm=None,
        escalated=0,
        escalate=first_escalation(timing, now),
        activations=activations,
        chattering=alarm.chattering or quick > CHATTER_COUNT,
    ), Action.RAISED


def _activations(alarm: Alarm, now: Instant) -> tuple[float, ...]:
    """Return the latest raises with this one; a limit that comes back after the more severe one did not end."""
    recent = [moment for moment in alarm.activations if now.mono_s - moment < CHATTER_MEMORY_S]
    return (*recent, *([] if alarm.superseded else [now.mono_s]))[-_MOST_ACTIVATIONS:]
