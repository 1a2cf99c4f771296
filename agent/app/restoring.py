"""Takes up what the journal kept of the alarms: at the start, or as soon as a disk that did not answer then does."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterable, Sequence

import structlog

from agent.app.memories import Memories
from agent.core.model import Alarm, AlarmState, Instant
from agent.core.ports import Clock
from agent.journal import Journal
from agent.pipeline import Pipeline
from agent.reports import gateway_event
from rules.adoption import ended

log = structlog.get_logger(__name__)

_LIMIT_S = 5.0
"""A disk that does not answer must not keep the alarms from starting."""
_RETRY_S = 1.0


class Restoring:
    """``is_late`` after ``at_start`` when the disk did not answer: then ``run`` has to follow."""

    def __init__(self, pipeline: Pipeline, journal: Journal, memories: Memories, clock: Clock) -> None:
        self.is_late = False
        self._pipeline, self._journal, self._memories, self._clock = pipeline, journal, memories, clock

    async def at_start(self, limit_s: float = _LIMIT_S) -> None:
        """Take up alarms and memories before anything is judged; give up after ``limit_s``, for now."""
        try:
            async with asyncio.timeout(limit_s):
                saved = await self._journal.alarms()
        except (sqlite3.Error, TimeoutError) as error:
            self.is_late = True
            log.error(
                "alarm states not restored yet; the rules begin without them",
                reason=str(error) or "the disk does not answer",
            )
            return
        self._take_up(saved)
        await self._memories.restore()

    async def run(self) -> None:
        """Wait for the disk, and take up late what has not happened anew meanwhile; then there is nothing to do."""
        while self.is_late:
            try:
                saved = await self._journal.alarms()
            except sqlite3.Error:
                await asyncio.sleep(_RETRY_S)  # the journal tells of it itself
                continue
            before = set(self._pipeline.engine.standing)
            self._take_up(saved)
            self.is_late = False
            back = [id_ for id_ in self._pipeline.engine.standing if id_ not in before]
            log.warning("alarm states restored late", alarms=back)
            told = gateway_event("alarms-restored-late", {"alarms": back}, self._clock.now())
            self._journal.record([told], ())
        await asyncio.Event().wait()

    def _take_up(self, saved: Sequence[tuple[Alarm, bool]]) -> None:
        now = self._clock.now()
        for same_boot in (True, False):
            alarms = [alarm for alarm, same in saved if same is same_boot]
            self._pipeline.engine.restore(alarms, same_boot, now)
        self._pipeline.refresh(now)
        self._tell_gone([alarm for alarm, _ in saved], now)

    def _tell_gone(self, saved: Iterable[Alarm], now: Instant) -> None:
        """An alarm that stood, and that no rule has any longer, does not vanish without a word."""
        known = self._pipeline.engine.definitions
        gone = [alarm for alarm in saved if alarm.state is not AlarmState.NORMAL and alarm.id not in known]
        if gone:
            names = [alarm.id for alarm in gone]
            log.warning("alarms that stood have no rule any more", alarms=names)
            told = gateway_event("alarms-removed", {"alarms": names}, now)
            self._journal.record([told], [ended(alarm, now) for alarm in gone])
