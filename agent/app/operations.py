"""Shelving, service and figures as the local API sees them; and the figures' way into the journal and back."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from math import inf

import structlog

from agent.api.operations import FloodRow, RemovedRow, Report, StandingRow
from agent.app.parts import Parts
from agent.core.model import Alarm, AlarmDefinition, EventDraft, Instant, Lane, Operator, Priority
from agent.kpi import HOUR_S, SPANS_S, STALE_AFTER_S, Figures
from agent.reports import removal_row

log = structlog.get_logger(__name__)
_FRESH_S = {"24h": 1.0, "30d": 60.0}
_PAGE = 500
_REST_S = 0.01
"""Between two pages of the journal, so that what is written now does not wait for what is long past."""


class OperationsDesk:
    """Implements ``agent.api.operations.OperationsView``."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._pipeline = parts.pipeline
        self._last_seq = 0
        self._cache: dict[str, tuple[float, Figures]] = {}

    def removed(self) -> list[RemovedRow]:
        """Return the alarms that call nobody now, most urgent first."""
        pairs = sorted(self._standing(), key=lambda pair: (pair[0].priority, pair[0].id))
        return [row for definition, alarm in pairs if (row := _removed(definition, alarm)) is not None]

    def report(self) -> Report:
        """Return the figures."""
        now = self._parts.clock.now()
        operations = self._pipeline.operations
        pairs = list(self._standing())
        return {
            "at": now.utc.isoformat(),
            "crew": operations.policy.crew(now.utc),
            "raised_10min": operations.flood.lately(now.mono_s),
            "floods": list(self._floods()),
            "chattering": self._rows(pair for pair in self._all() if pair[1].chattering),
            "stale": self._rows(pair for pair in pairs if _is_stale(pair[1], now)),
            "removed": self.removed(),
            "spans": {span: self._figures(span, now.mono_s) for span in SPANS_S},
        }

    def shelve(self, alarm: str, seconds: float, operator: Operator) -> bool:
        """Put an alarm away for a while."""
        return self._pipeline.shelve(alarm, seconds, operator)

    def unshelve(self, alarm: str, operator: Operator) -> bool:
        """Take it off its shelf."""
        return self._pipeline.unshelve(alarm, operator)

    def take_out(self, alarm: str, second: str, operator: Operator) -> bool:
        """Take it out of service."""
        return self._pipeline.take_out(alarm, second, operator)

    def bring_back(self, alarm: str, operator: Operator) -> bool:
        """Put it into service again."""
        return self._pipeline.bring_back(alarm, operator)

    def prepare(self) -> None:
        """Call this before anything is evaluated: the past is counted before the present."""
        self._pipeline.operations.hold()
        self._last_seq = self._parts.journal.last_seq

    async def run(self) -> None:
        """Count what the journal held at the start; then journal the figures once an hour, for ever."""
        last_seq, self._last_seq = self._last_seq, 0  # once, also when this task should be restarted
        try:
            await self._refill(last_seq)
        except sqlite3.Error as error:
            log.warning("the figures begin anew", reason=str(error))
        self._pipeline.operations.release()
        self._cache.clear()
        while True:
            await asyncio.sleep(HOUR_S)
            self.publish()

    def publish(self) -> None:
        """Journal the figures."""
        data = dict(self.report())
        self._parts.journal.record([EventDraft("kpi", Lane.STATE, "gateway", data, self._parts.clock.now())], ())

    def _figures(self, span: str, now_s: float) -> Figures:
        """A month of many alarms takes some milliseconds to add up, in which no sample is taken in."""
        at_s, figures = self._cache.get(span, (-inf, None))
        if figures is None or now_s - at_s >= _FRESH_S[span]:
            figures = self._pipeline.operations.kpi.figures(span, now_s)
            self._cache[span] = now_s, figures
        return figures

    async def _refill(self, last_seq: int) -> None:
        after, now = 0, self._parts.clock.now()
        while after < last_seq:
            page = await self._parts.journal.events(_PAGE, after, str(Lane.ALARM))
            self._pipeline.operations.refill((event for event in page if event["journalseq"] <= last_seq), now)
            after = int(page[-1]["journalseq"]) if page else last_seq
            await asyncio.sleep(_REST_S)

    def _all(self) -> Iterator[tuple[AlarmDefinition, Alarm]]:
        engine = self._pipeline.engine
        return ((engine.definitions[id_], alarm) for id_, alarm in engine.alarms.items())

    def _standing(self) -> Iterator[tuple[AlarmDefinition, Alarm]]:
        engine = self._pipeline.engine
        return ((engine.definitions[id_], alarm) for id_, alarm in engine.standing.items())

    def _rows(self, pairs: Iterator[tuple[AlarmDefinition, Alarm]]) -> list[StandingRow]:
        return [self._row(definition, alarm) for definition, alarm in pairs]

    def _row(self, definition: AlarmDefinition, alarm: Alarm) -> StandingRow:
        return {
            "id": alarm.id,
            "name": dict(definition.name),
            "priority": definition.priority.name,
            "raised_at": alarm.raised_at.isoformat() if alarm.raised_at else None,
            "off_delay_s": self._pipeline.engine.delays(alarm.id).off_s,
        }

    def _floods(self) -> Iterator[FloodRow]:
        for flood in self._pipeline.operations.flood.floods:
            yield {
                "zone": flood.zone,
                "since": flood.since.utc.isoformat(),
                "raised": flood.raised,
                "by_priority": {priority.name: flood.priorities[priority.name] for priority in Priority},
            }


def _removed(definition: AlarmDefinition, alarm: Alarm) -> RemovedRow | None:
    found = alarm.out_of_service or alarm.shelved or alarm.suppressed
    if found is None:
        return None
    return {
        "id": alarm.id,
        "name": dict(definition.name),
        "priority": definition.priority.name,
        "state": alarm.state,
        "active": alarm.active,
        **removal_row(found),
    }


def _is_stale(alarm: Alarm, now: Instant) -> bool:
    raised = alarm.raised_at
    return alarm.active and raised is not None and (now.utc - raised).total_seconds() > STALE_AFTER_S
