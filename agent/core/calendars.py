"""When something is armed, or who is on shift: weekly windows of wall-clock time in the site's time zone. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BeforeValidator, Field

from agent.core.options import Options

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAY_MIN = 1440
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


Minute = Annotated[int, BeforeValidator(_minute, json_schema_input_type=str | int), Field(ge=0, le=1440)]
"""A time of day in minutes since midnight; a file writes ``22:30``."""


class Window(Options):
    """From one time of day to another; one that ends before it begins lasts into the next day."""

    days: Annotated[tuple[str, ...], BeforeValidator(_days, json_schema_input_type=str | list[str])] = DAYS
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
class Weekly:
    """A moment that comes back on some days of the week, ``minute`` minutes after midnight."""

    days: tuple[str, ...]
    minute: int

    @classmethod
    def parse(cls, text: object) -> Weekly:
        """Read ``mon 10:00``, ``mon-fri 6:30`` or ``daily 22:00``. Raises ValueError."""
        days, _, time = str(text).strip().rpartition(" ")
        if not days:
            raise ValueError(f"{text!r} is no moment of the week; write it as 'mon 10:00' or 'daily 06:30'")
        minute = _minute(time)
        if not isinstance(minute, int) or minute >= _DAY_MIN:
            raise ValueError(f"{time!r} is no time of day; write it as 06:00 or 22:30")
        return cls(tuple(_days(days)), minute)  # type: ignore[arg-type]  # it is given text, and returns a list

    def latest(self, utc: datetime, zone: tzinfo) -> datetime:
        """Return the last such moment that is not after ``utc``, in UTC."""
        local = utc.astimezone(zone)
        for back in range(8):
            day = (local - timedelta(days=back)).replace(second=0, microsecond=0)
            moment = day.replace(hour=self.minute // 60, minute=self.minute % 60)
            if moment <= local and DAYS[moment.weekday()] in self.days:
                return moment.astimezone(UTC)
        raise AssertionError("a week has every day")


def clock_was_set(utc: datetime) -> bool:
    """Tell whether the wall clock can be believed: with a dead battery it shows a time before this software."""
    return utc >= _NOT_BEFORE


@dataclass(frozen=True)
class Calendar:
    """Some windows in one time zone."""

    name: str
    windows: tuple[Window, ...]
    zone: tzinfo = UTC

    def covers(self, utc: datetime) -> bool:
        """Tell whether ``utc`` lies in one of the windows. With a clock that was never set, it does: armed is safer."""
        if not clock_was_set(utc):
            return True
        local = utc.astimezone(self.zone)
        return any(window.covers(local) for window in self.windows)


def read_windows(value: Any) -> Any:
    """Let a file write one window without a list."""
    return [value] if isinstance(value, dict) else value


Windows = Annotated[
    tuple[Window, ...],
    BeforeValidator(read_windows, json_schema_input_type=Window | list[Window]),
    Field(min_length=1),
]


_SYSTEM_ZONE = Path("/etc/localtime")


def time_zone(name: str) -> tzinfo:
    """Return the zone of an IANA name; for an empty one the system's. Raises ValueError for one that nobody knows."""
    if not name:
        return _system_zone()
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"{name!r} is not a time zone; write its IANA name, such as Asia/Shanghai or UTC") from None


def _system_zone() -> tzinfo:
    try:
        with _SYSTEM_ZONE.open("rb") as file:
            return ZoneInfo.from_file(file, "the system's")
    except (OSError, ValueError):
        return UTC
