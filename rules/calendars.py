"""When something is armed, or who is on shift: weekly windows of wall-clock time in the site's time zone. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from agent.core.options import Options

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_MINUTES = re.compile(r"([01]?\d|2[0-4]):([0-5]\d)")
_NOT_BEFORE = datetime(2026, 1, 1, tzinfo=UTC)
"""A clock that shows less was never set: then nobody knows the hour."""


def _days(value: object) -> object:
    """Read ``mon-fri``, ``sat, sun`` or ``daily``."""
    if not isinstance(value, str):
        return value
    found: list[str] = []
    for part in value.replace("daily", "mon-sun").lower().split(","):
        first, _, last = (end.strip() for end in part.partition("-"))
        last = last or first
        if first not in DAYS or last not in DAYS:
            raise ValueError(f"{part.strip()!r} are no days; write mon-fri, 'sat, sun' or daily")
        start, end = DAYS.index(first), DAYS.index(last)
        found += DAYS[start : end + 1] if start <= end else (*DAYS[start:], *DAYS[: end + 1])
    return found


def _minute(value: object) -> object:
    if isinstance(value, int) and not isinstance(value, bool):
        return value  # YAML 1.1 reads a bare 22:00 as 1320, which is the very number
    match = _MINUTES.fullmatch(str(value).strip())
    if match is None or (match[1] == "24" and match[2] != "00"):
        raise ValueError(f"{value!r} is no time of day; write it as 06:00 or 22:30")
    return int(match[1]) * 60 + int(match[2])


Minute = Annotated[int, BeforeValidator(_minute), Field(ge=0, le=1440)]
"""A time of day in minutes since midnight; a file writes ``22:30``."""


class Window(Options):
    """From one time of day to another; one that ends before it begins lasts into the next day."""

    days: Annotated[tuple[str, ...], BeforeValidator(_days)] = DAYS
    from_: Minute = Field(default=0, alias="from")
    to: Minute = 1440

    def covers(self, local: datetime) -> bool:
        """Tell whether ``local`` lies in it."""
        minute, today = local.hour * 60 + local.minute, DAYS[local.weekday()]
        if self.from_ < self.to:
            return today in self.days and self.from_ <= minute < self.to
        yesterday = DAYS[(local - timedelta(days=1)).weekday()]
        return (today in self.days and minute >= self.from_) or (yesterday in self.days and minute < self.to)


@dataclass(frozen=True)
class Calendar:
    """Some windows in one time zone."""

    name: str
    windows: tuple[Window, ...]
    zone: tzinfo = UTC

    def covers(self, utc: datetime) -> bool:
        """Tell whether ``utc`` lies in one of the windows. With a clock that was never set, it does: armed is safer."""
        if not is_set(utc):
            return True
        local = utc.astimezone(self.zone)
        return any(window.covers(local) for window in self.windows)


def is_set(utc: datetime) -> bool:
    """Tell whether the wall clock can be right at all."""
    return utc >= _NOT_BEFORE


def read_windows(value: Any) -> Any:
    """Let a file write one window without a list."""
    return [value] if isinstance(value, dict) else value


Windows = Annotated[tuple[Window, ...], BeforeValidator(read_windows), Field(min_length=1)]
