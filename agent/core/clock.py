"""The only place that reads a clock. Decisions take an Instant instead."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

from agent.core.model import Instant


class SystemClock:
    """CLOCK_MONOTONIC for decisions (it survives a restart of the process, not of the machine) and UTC for people."""

    def now(self) -> Instant:
        """Return the present moment."""
        return Instant(time.monotonic(), datetime.now(UTC))


class ManualClock:
    """A clock that moves only when told: for tests and replay."""

    def __init__(self, mono_s: float = 1000.0, utc: datetime = datetime(2026, 1, 1, tzinfo=UTC)) -> None:
        self._now = Instant(mono_s, utc)

    def now(self) -> Instant:
        """Return the moment it was last set to."""
        return self._now

    def advance(self, seconds: float) -> Instant:
        """Let ``seconds`` pass on both clocks and return the new moment."""
        self._now = Instant(self._now.mono_s + seconds, self._now.utc + timedelta(seconds=seconds))
        return self._now

    def step_utc(self, seconds: float) -> Instant:
        """Step the wall clock alone, as NTP or a person does."""
        self._now = self._now._replace(utc=self._now.utc + timedelta(seconds=seconds))
        return self._now
