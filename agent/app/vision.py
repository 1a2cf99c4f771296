"""Hands each camera's worker its pace, so that all of them stay within the budget of vision."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

import structlog

from agent.core.model import AlarmDefinition, Priority
from agent.core.ports import Clock, RuleEngine
from models.rationing import Load, Ration

log = structlog.get_logger(__name__)

_PERIOD_S = 1.0
URGENT = 2.0
"""A camera that a P1 rule reads gets twice as much of its wish as another."""


class Paced(Protocol):
    """A camera's driver; see ``models.camera.CameraDriver``."""

    load: Load | None

    @property
    def asked(self) -> float:
        """Pictures a second that it should judge."""

    @property
    def weight(self) -> float | None:
        """How much of its wish it gets, as the site wants it; None where the site says nothing."""

    @property
    def shadow_load(self) -> Load | None:
        """What a model in shadow told of its cost last, which has a pace of its own; None before there was one."""

    def grant(self, pace: float) -> None:
        """Have its worker judge so many pictures a second, 0 for none."""


def urgency(cameras: Iterable[str], definitions: Iterable[AlarmDefinition]) -> dict[str, float]:
    """Return each camera's weight by the alarms that read its points."""
    urgent = [each for each in definitions if each.priority is Priority.P1]
    read = {point.partition(".")[0] for each in urgent for point in each.inputs}
    return {camera: URGENT if camera in read else 1.0 for camera in cameras}


class VisionBudget:
    """``engine`` gives the alarms as they are now: rules change while it runs."""

    def __init__(
        self, cores: float, cameras: Mapping[str, Paced], engine: Callable[[], RuleEngine], clock: Clock
    ) -> None:
        self._cameras, self._engine, self._clock = cameras, engine, clock
        self._ration = Ration(cores, {name: camera.asked for name, camera in cameras.items()})
        self._short: list[str] = []

    async def run(self) -> None:
        """Look once a second until cancelled."""
        while True:
            await asyncio.sleep(_PERIOD_S)
            self.look()

    def look(self) -> None:
        """Take up what workers told, and hand out paces."""
        for name, camera in self._cameras.items():
            if camera.load is not None:
                self._ration.note(name, camera.load)
            if camera.shadow_load is not None:
                self._ration.note_other(name, camera.shadow_load)
        paces = self._ration.decide(self._weights(), self._clock.now().mono_s)
        for name, camera in self._cameras.items():
            camera.grant(round(paces[name], 2))
        self._tell(paces)

    def _weights(self) -> dict[str, float]:
        by_alarms = urgency(self._cameras, self._engine().definitions.values())
        wanted = {name: camera.weight for name, camera in self._cameras.items()}
        return {name: by_alarms[name] if weight is None else weight for name, weight in wanted.items()}

    def _tell(self, paces: Mapping[str, float]) -> None:
        short = [name for name, camera in self._cameras.items() if paces[name] < camera.asked]
        if short != self._short:
            cores = f"{self._ration.cores:g}"
            if short:
                log.warning("cameras are looked at less often than asked", cameras=short, cores=cores)
            else:
                log.info("all cameras are looked at as often as asked", cores=cores)
        self._short = short
