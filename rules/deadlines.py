"""What happens to an alarm because time passes: shelves end, nobody has acknowledged, chatter is over. Pure."""

from __future__ import annotations

from dataclasses import replace

from agent.core.model import Action, Alarm, AlarmState, Deadline, Instant, Removal, TimerKind
from rules.machine import CHATTER_COUNT, CHATTER_MEMORY_S, Timing, call_again


def due_s(alarm: Alarm) -> float | None:
    """Return the monotonic time at which ``step`` or ``pass_time`` has something to do, or None."""
    timer = alarm.timer.due_s if alarm.timer is not None else None
    deadlines = (_until(alarm.shelved), _until(alarm.suppressed), alarm.re_alarm, alarm.escalate)
    moments = [deadline.mono_s for deadline in deadlines if deadline is not None]
    moments += [moment for moment in (timer, _steady_s(alarm)) if moment is not None]
    return min(moments, default=None)


def pass_time(alarm: Alarm, timing: Timing, now: Instant) -> tuple[Alarm, Action | None]:
    """Carry out the first deadline that has passed; call it again until there is no action."""
    if _passed(_until(alarm.shelved), now):
        return call_again(replace(alarm, shelved=None), timing, now), Action.SHELF_EXPIRED
    if _passed(_until(alarm.suppressed), now):
        back = replace(alarm, suppressed=None, suppression_spent=True)
        return call_again(back, timing, now), Action.SUPPRESSION_EXPIRED
    if _passed(alarm.re_alarm, now):
        return call_again(alarm, timing, now), Action.RE_ALARMED
    if _passed(alarm.escalate, now):
        return _escalate(alarm, timing, now)
    steady_s = _steady_s(alarm)
    if steady_s is not None and steady_s <= now.mono_s:
        return replace(alarm, chattering=False, activations=()), Action.STEADY
    return alarm, None


def restored(alarm: Alarm, same_boot: bool, now: Instant) -> Alarm:
    """Return the state to go on with after a restart; it errs on the side of the alarm.

    What was seen before is not known now. An on-delay counts the downtime if the condition still
    holds when it is first seen again; on another boot, whose monotonic clock says nothing, it goes
    on with what was left. An off-delay starts anew. Other deadlines keep their moment; on another
    boot the wall clock tells how much of them is left, and if it is wrong they end early, not late.
    """
    timer = alarm.timer
    if timer is not None and timer.kind is TimerKind.OFF:
        timer = None
    elif timer is not None and not same_boot:
        timer = replace(timer, due_s=None)
    alarm = replace(alarm, exceeded=None, timer=timer)
    return alarm if same_boot else _on_another_boot(alarm, now)


def is_untouched(alarm: Alarm) -> bool:
    """Tell whether it was never raised, and nobody has done anything to it."""
    removed = (alarm.shelved, alarm.out_of_service, alarm.hazard)
    return not alarm.occurrence and alarm.process is AlarmState.NORMAL and removed == (None, None, None)


def belated(back: Alarm, present: Alarm) -> Alarm:
    """Return a ``restored`` state beside what has been seen since, of one that is ``untouched``: a disk was slow.

    What was seen counts. A delay that runs goes on, unless the saved alarm is active: that one is not raised anew.
    """
    found = replace(
        back,
        degraded=back.degraded or present.degraded,
        suppressed=present.suppressed or back.suppressed,
        suppression_spent=present.suppression_spent or back.suppression_spent,
        superseded=present.superseded or back.superseded,
    )
    return found if back.active else replace(found, exceeded=present.exceeded, timer=present.timer or back.timer)


def _on_another_boot(alarm: Alarm, now: Instant) -> Alarm:
    return replace(
        alarm,
        shelved=_rebased_removal(alarm.shelved, now),
        suppressed=_rebased_removal(alarm.suppressed, now),
        re_alarm=_rebased(alarm.re_alarm, None, now),
        escalate=_rebased(alarm.escalate, None, now),
        called=now if alarm.called is not None else None,
        activations=(),
        chattering=False,
    )


def _rebased_removal(removal: Removal | None, now: Instant) -> Removal | None:
    if removal is None or removal.until is None:
        return removal
    return replace(removal, until=_rebased(removal.until, removal.since.timestamp(), now))


def _rebased(deadline: Deadline | None, since: float | None, now: Instant) -> Deadline | None:
    """Move a deadline to this boot's clock. A wall clock that went back to before ``since`` is not believed."""
    if deadline is None:
        return None
    believed = since is None or now.utc.timestamp() >= since
    left_s = max((deadline.utc - now.utc).total_seconds(), 0.0) if believed else 0.0
    return Deadline.after(left_s, now)


def _escalate(alarm: Alarm, timing: Timing, now: Instant) -> tuple[Alarm, Action | None]:
    if alarm.process is not AlarmState.UNACKNOWLEDGED or not alarm.calls or alarm.escalated >= len(timing.escalation):
        return replace(alarm, escalate=None), None
    taken = alarm.escalated + 1
    following = timing.escalation[taken : taken + 1]
    wait_s = following[0].after_s - timing.escalation[taken - 1].after_s if following else 0.0
    due = Deadline.after(wait_s, now) if following else None
    return replace(alarm, escalated=taken, escalate=due, silenced=False, called=now), Action.ESCALATED


def _steady_s(alarm: Alarm) -> float | None:
    """Return when an alarm that chatters has had no more than CHATTER_COUNT raises for long enough."""
    if not alarm.chattering or alarm.active:
        return None
    beyond = alarm.activations[-CHATTER_COUNT - 1 : -CHATTER_COUNT]
    return beyond[0] + CHATTER_MEMORY_S if beyond else alarm.activations[-1] if alarm.activations else 0.0


def _until(removal: Removal | None) -> Deadline | None:
    return removal.until if removal is not None else None


def _passed(deadline: Deadline | None, now: Instant) -> bool:
    return deadline is not None and deadline.mono_s <= now.mono_s
