"""The alarm state machine (ISA-18.2 / IEC 62682). Pure: (alarm, verdict, timing, now) → (alarm, action).

Unknown never raises and never clears: it freezes the running delay and marks the alarm degraded.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace

from agent.core.model import Alarm, AlarmState, Instant, Operator, Timer, TimerKind
from rules.conditions import Verdict

_NAMESPACE = uuid.UUID("7f7c1c5e-6d0b-4c0e-9a7e-0b6f6a1d5a10")


@dataclass(frozen=True, slots=True)
class Timing:
    """Delays in seconds. A latched alarm stays active until it is acknowledged with its condition normal."""

    on_delay_s: float = 0.0
    off_delay_s: float = 0.0
    latch: bool = False


def step(alarm: Alarm, verdict: Verdict, timing: Timing, now: Instant) -> tuple[Alarm, str | None]:
    """Return the alarm after ``verdict``, and the action to report, if any. The same object means: no change."""
    if verdict.exceeded is None:
        return _freeze(alarm, now), None
    if verdict.exceeded == alarm.active or (timing.latch and not verdict.exceeded):
        return _settle(alarm, verdict), None
    timer = _running(alarm, verdict.exceeded, timing, now)
    if timer.due_s is not None and timer.due_s <= now.mono_s:
        return _fire(alarm, verdict, now)
    if timer is alarm.timer and verdict.exceeded == alarm.exceeded and verdict.degraded == alarm.degraded:
        return alarm, None
    return replace(alarm, exceeded=verdict.exceeded, timer=timer, degraded=verdict.degraded), None


def acknowledge(alarm: Alarm, operator: Operator, timing: Timing, now: Instant) -> tuple[Alarm, str | None]:
    """Acknowledge, or reset a latched alarm whose condition is known to be normal."""
    stamped = replace(alarm, acknowledged_at=now.utc, acknowledged_by=operator.name, note=operator.note)
    if timing.latch and alarm.active and alarm.exceeded is False:
        return replace(stamped, state=AlarmState.NORMAL, active=False, cleared_at=now.utc, timer=None), "reset"
    if alarm.state is AlarmState.UNACKNOWLEDGED:
        return replace(stamped, state=AlarmState.ACKNOWLEDGED), "acknowledged"
    if alarm.state is AlarmState.RETURNED:
        return replace(stamped, state=AlarmState.NORMAL), "acknowledged"
    return alarm, None


def silence(alarm: Alarm) -> tuple[Alarm, str | None]:
    """Stop the sound of an unacknowledged alarm; nothing else changes (silence is not acknowledgement)."""
    if alarm.state is AlarmState.UNACKNOWLEDGED and not alarm.silenced:
        return replace(alarm, silenced=True), "silenced"
    return alarm, None


def restored(alarm: Alarm, same_boot: bool) -> Alarm:
    """Return the state to go on with after a restart; it errs on the side of the alarm.

    What was seen before is not known now. An on-delay counts the downtime if the condition still
    holds when it is first seen again; on another boot, whose monotonic clock says nothing, it goes
    on with what was left. An off-delay starts anew.
    """
    timer = alarm.timer
    if timer is not None and timer.kind is TimerKind.OFF:
        timer = None
    elif timer is not None and not same_boot:
        timer = replace(timer, due_s=None)
    return replace(alarm, exceeded=None, timer=timer)


def _freeze(alarm: Alarm, now: Instant) -> Alarm:
    timer = alarm.timer
    if timer is not None and timer.due_s is not None:
        timer = Timer(timer.kind, max(timer.due_s - now.mono_s, 0.0), None)
    if timer is alarm.timer and alarm.exceeded is None and alarm.degraded:
        return alarm
    return replace(alarm, exceeded=None, timer=timer, degraded=True)


def _settle(alarm: Alarm, verdict: Verdict) -> Alarm:
    if alarm.timer is None and alarm.exceeded == verdict.exceeded and alarm.degraded == verdict.degraded:
        return alarm
    return replace(alarm, exceeded=verdict.exceeded, timer=None, degraded=verdict.degraded)


def _running(alarm: Alarm, rising: bool, timing: Timing, now: Instant) -> Timer:
    kind = TimerKind.ON if rising else TimerKind.OFF
    timer = alarm.timer
    if timer is None or timer.kind is not kind:
        delay_s = timing.on_delay_s if rising else timing.off_delay_s
        return Timer(kind, delay_s, now.mono_s + delay_s)
    return timer if timer.due_s is not None else Timer(kind, timer.remaining_s, now.mono_s + timer.remaining_s)


def _fire(alarm: Alarm, verdict: Verdict, now: Instant) -> tuple[Alarm, str]:
    fired = replace(alarm, exceeded=verdict.exceeded, timer=None, degraded=verdict.degraded, value=verdict.value)
    if not verdict.exceeded:
        acknowledged = alarm.state is AlarmState.ACKNOWLEDGED
        state = AlarmState.NORMAL if acknowledged else AlarmState.RETURNED
        return replace(fired, state=state, active=False, cleared_at=now.utc), "cleared" if acknowledged else "returned"
    count = alarm.count + 1
    return replace(
        fired,
        state=AlarmState.UNACKNOWLEDGED,
        active=True,
        silenced=False,
        count=count,
        occurrence=str(uuid.uuid5(_NAMESPACE, f"{alarm.id}/{count}/{now.utc.isoformat()}")),
        raised_at=now.utc,
        cleared_at=None,
        acknowledged_at=None,
        acknowledged_by="",
        note="",
    ), "raised"
