"""What takes an alarm out of people's way though it is still evaluated: a shelf, a design, a repair. Pure."""

from __future__ import annotations

from dataclasses import replace

from agent.core.durations import format_duration
from agent.core.errors import NotAllowed
from agent.core.model import Action, Alarm, AlarmDefinition, Deadline, Instant, Operator, Priority, Removal
from rules.machine import REMOTE, Timing, call_again

LONGEST_SHELF_S = {Priority.P1: 0.0, Priority.P2: 1800.0, Priority.P3: 28800.0, Priority.P4: 28800.0}
"""How long an alarm of each priority may be shelved (DESIGN §6)."""


def shelve(
    alarm: Alarm, definition: AlarmDefinition, seconds: float, operator: Operator, now: Instant
) -> tuple[Alarm, Action]:
    """Put an alarm away for a while. Raises NotAllowed."""
    if not definition.longest_shelf_s:
        raise NotAllowed(f"{alarm.id} ({definition.priority.name}) cannot be shelved; mend what raises it")
    if not 0 < seconds <= definition.longest_shelf_s:
        most = format_duration(definition.longest_shelf_s)
        raise NotAllowed(f"{alarm.id} ({definition.priority.name}) can be shelved for {most} at most")
    _need_reason(alarm, operator, "shelve")
    until = Deadline.after(seconds, now)
    return replace(alarm, shelved=_removal(operator, now, until)), Action.SHELVED


def unshelve(alarm: Alarm, timing: Timing, now: Instant) -> tuple[Alarm, Action | None]:
    """Take an alarm off its shelf; if it is active it calls as if it were new."""
    if alarm.shelved is None:
        return alarm, None
    return call_again(replace(alarm, shelved=None), timing, now), Action.UNSHELVED


def take_out(alarm: Alarm, second: str, operator: Operator, now: Instant) -> tuple[Alarm, Action]:
    """Take an alarm out of service until somebody brings it back. Raises NotAllowed unless two persons agree."""
    _need_reason(alarm, operator, "take out of service")
    if operator.via not in REMOTE and second.strip().casefold() in ("", operator.name.strip().casefold()):
        raise NotAllowed(f"taking {alarm.id} out of service needs a second person; name who else agreed")
    return replace(alarm, out_of_service=_removal(operator, now, None, second)), Action.OUT_OF_SERVICE


def bring_back(alarm: Alarm, timing: Timing, now: Instant) -> tuple[Alarm, Action | None]:
    """Put an alarm into service again; if it is active it calls as if it were new."""
    if alarm.out_of_service is None:
        return alarm, None
    return call_again(replace(alarm, out_of_service=None), timing, now), Action.IN_SERVICE


def suppress(alarm: Alarm, reason: str, longest_s: float | None, now: Instant) -> tuple[Alarm, Action]:
    """Suppress an alarm by design, for ``longest_s`` at most (None: as long as its reason stands)."""
    until = Deadline.after(longest_s, now) if longest_s is not None else None
    return replace(alarm, suppressed=Removal(reason, "", "design", now.utc, until)), Action.SUPPRESSED


def unsuppress(alarm: Alarm, timing: Timing, now: Instant) -> tuple[Alarm, Action]:
    """End a suppression; an alarm that is active and not acknowledged calls as if it were new."""
    return call_again(replace(alarm, suppressed=None), timing, now), Action.UNSUPPRESSED


def _removal(operator: Operator, now: Instant, until: Deadline | None, second: str = "") -> Removal:
    return Removal(operator.note, operator.name, operator.via, now.utc, until, second)


def _need_reason(alarm: Alarm, operator: Operator, what: str) -> None:
    if not operator.note.strip():
        raise NotAllowed(f"to {what} {alarm.id} needs a reason")
