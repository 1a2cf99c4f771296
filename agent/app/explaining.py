"""Explains the alarms of the running agent: rule, state, inputs, timers, and what the journal last said of them."""

from __future__ import annotations

import asyncio
import sqlite3
from typing import Any, cast

from agent.api.explaining import Explanation, SampleRow
from agent.app.trail import Trail
from agent.core.model import Instant, Sample
from agent.core.ports import Clock
from agent.journal import Journal
from agent.pipeline import Pipeline
from rules import explaining
from rules.engine import Engine

_LOOKED_AT = 2000
"""Events of the alarm lane in which the last ones of an alarm are looked for."""
_TOLD = 8
_LIMIT_S = 2.0
"""A disk that does not answer must not keep people from the rest."""


class Explainer:
    """Implements ``agent.api.explaining.ExplainingView``."""

    def __init__(self, pipeline: Pipeline, journal: Journal, clock: Clock) -> None:
        self._pipeline, self._journal, self._clock = pipeline, journal, clock
        self._trail = Trail()
        self._watched: object = None
        self._watch()
        pipeline.heard.append(self._trail.add)

    async def explain(self, alarm: str) -> Explanation:
        """Explain one alarm. Raises KeyError for an unknown one."""
        self._watch()
        found, facts, now = self._engine.slots[alarm], self._pipeline.facts, self._clock.now()
        definition = found.rule.definition
        return {
            "id": alarm,
            "name": dict(definition.name),
            "consequence": dict(definition.consequence),
            "response": dict(definition.response),
            "state": found.alarm.state,
            "rule": list(explaining.rule_lines(found)),
            "now": list(explaining.state_lines(found, now)),
            "inputs": list(explaining.input_lines(found, facts, now)),
            "timers": list(explaining.timer_lines(found, now)),
            "removed": list(explaining.removal_lines(found, now)),
            "why_not": list(explaining.why_not(found, facts, now)),
            "samples": {point: [_row(each, now) for each in self._trail.of(point)] for point in found.rule.inputs},
            "events": await self._events(alarm),
        }

    @property
    def _engine(self) -> Engine:
        return cast(Engine, self._pipeline.engine)

    def _watch(self) -> None:
        """Follow the rules that run: another set may have been put in their place."""
        if self._watched is not self._engine:
            self._watched = self._engine
            self._trail.watch({point for slot in self._engine.slots.values() for point in slot.rule.inputs})

    async def _events(self, alarm: str) -> list[dict[str, Any]]:
        try:
            async with asyncio.timeout(_LIMIT_S):
                found = await self._journal.events(_LOOKED_AT, None, "alarm")
        except (sqlite3.Error, TimeoutError):
            return []
        return [event for event in found if event.get("subject") == alarm][-_TOLD:]


def _row(sample: Sample, now: Instant) -> SampleRow:
    age_s = round(max(now.mono_s - sample.received_s, 0.0), 2)
    return {"value": sample.value, "quality": sample.quality, "reason": sample.reason, "age_s": age_s}
