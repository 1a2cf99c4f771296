"""What a site asks of its operators, and who is on duty: the sections ``operation`` and ``shifts`` of ``site.yaml``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from typing import Annotated

from pydantic import BeforeValidator, Field

from agent.core.calendars import Window
from agent.core.errors import NotAllowed
from agent.core.model import Alarm, AlarmDefinition, AlarmState, Operator, Priority
from agent.core.options import Options

BUTTON = "button"
"""Acts through a physical button, at which nobody can write."""
_CLOCK_SET = datetime(2026, 1, 1, tzinfo=UTC)


def _priority(value: object) -> object:
    if value is None or value == "none":
        return None
    if isinstance(value, Priority):
        return value
    try:
        return Priority[str(value)]
    except KeyError:
        raise ValueError(f"{value!r} is not a priority; write P1, P2, P3, P4 or none") from None


class OperationOptions(Options):
    """``ack_reason``: alarms of this priority and more urgent ones are acknowledged with a reason; none: no alarm."""

    ack_reason: Annotated[Priority | None, BeforeValidator(_priority)] = Priority.P2


class ShiftOptions(Window):
    """When a crew is on duty."""

    crew: str = Field(min_length=1, max_length=80)


@dataclass(frozen=True)
class Policy:
    """What the site asks for. ``zone`` is the site's time zone."""

    ack_reason: Priority | None = Priority.P2
    shifts: Mapping[str, ShiftOptions] = field(default_factory=dict)
    zone: tzinfo = UTC

    def needs_reason(self, definition: AlarmDefinition) -> bool:
        """Tell whether acknowledging asks for a reason."""
        return self.ack_reason is not None and definition.priority <= self.ack_reason

    def permit_acknowledge(self, alarm: Alarm, definition: AlarmDefinition, operator: Operator) -> None:
        """Raise NotAllowed if the reason is missing."""
        waits = alarm.process in (AlarmState.UNACKNOWLEDGED, AlarmState.RETURNED) or alarm.active
        if waits and operator.via != BUTTON and not operator.note.strip() and self.needs_reason(definition):
            raise NotAllowed(
                f"to acknowledge {alarm.id} ({definition.priority.name}) needs a reason; "
                "say in 'note' what it is and what is done about it"
            )

    def shift(self, utc: datetime) -> str:
        """Return the name of the shift; empty when there is none, and while the clock was never set."""
        local = utc.astimezone(self.zone)
        names = (name for name, shift in self.shifts.items() if shift.covers(local))
        return next(names, "") if utc >= _CLOCK_SET else ""

    def crew(self, utc: datetime) -> str:
        """Return the crew on duty; empty when there is none, and while the clock was never set."""
        if utc < _CLOCK_SET:
            return ""
        local = utc.astimezone(self.zone)
        return next((shift.crew for shift in self.shifts.values() if shift.covers(local)), "")
