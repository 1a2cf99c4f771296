"""Cameras as the local API sees them: the view that is right, and how much of a shift was really watched."""

from __future__ import annotations

import asyncio

from agent.app.parts import Parts
from agent.app.plan import Plan
from agent.core.errors import NotAllowed, NotConnected
from agent.core.model import EventDraft, Lane, Operator, Quality
from agent.core.ports import Aimed, RuleEngine
from agent.coverage import Coverage, CoverageRow, Span, watching
from agent.reports import operator_event
from models.options import HEALTH

_PERIOD_S = 1.0


class CamerasDesk:
    """Implements ``agent.api.cameras.CamerasView``."""

    def __init__(self, plan: Plan, parts: Parts) -> None:
        self._plan, self._parts = plan, parts
        drivers = [plan.drivers[camera] for camera in plan.site.cameras]
        points = [point.id for driver in drivers for point in driver.points]
        self._facts = frozenset(point for point in points if point.partition(".")[2] not in HEALTH)
        self._coverage = Coverage(plan.site.policy)
        self._engine: RuleEngine | None = None
        self._inputs: dict[str, frozenset[str]] = {}

    def accept(self, camera: str, operator: Operator) -> None:
        """Take what a camera sees now for its right view."""
        if camera not in self._plan.site.cameras:
            raise KeyError(camera)
        driver = self._plan.drivers[camera]
        assert isinstance(driver, Aimed)
        try:
            driver.accept()
        except NotConnected as error:
            raise NotAllowed(f"{camera} shows no view that could be accepted: {error}") from error
        now = self._parts.clock.now()
        self._parts.journal.record([operator_event("accept-view", {"camera": camera}, operator, now)], ())

    def coverage(self) -> list[CoverageRow]:
        """Return the minutes that were watched."""
        return self._coverage.rows()

    async def run(self) -> None:
        """Look once a second until cancelled; journal each shift when it is over, and the last one at the end."""
        try:
            while True:
                await asyncio.sleep(_PERIOD_S)
                self.look()
        finally:
            if self._coverage.spans:
                self._publish(self._coverage.spans[-1], is_over=False)

    def look(self) -> None:
        """Take note of how the facts are now."""
        engine, facts, now = self._parts.pipeline.engine, self._parts.pipeline.facts, self._parts.clock.now()
        if engine is not self._engine:
            self._engine, self._inputs = engine, watching(engine.definitions.values(), self._facts)

        def is_good(point: str) -> bool:
            sample = facts.get(point, now.mono_s)
            return sample is not None and sample.quality is Quality.GOOD

        over = self._coverage.look(self._inputs, is_good, now)
        if over is not None:
            self._publish(over, is_over=True)

    def _publish(self, span: Span, is_over: bool) -> None:
        now = self._parts.clock.now()
        data = {"is_over": is_over, "until": now.utc.isoformat(), "rules": span.rows()}
        self._parts.journal.record([EventDraft("coverage", Lane.STATE, span.shift or "day", data, now)], ())
