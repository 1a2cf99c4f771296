"""A camera as a driver: starts its worker process and keeps its newest picture."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from agent.core.errors import NotConnected
from agent.core.model import PointInfo
from agent.core.options import PointOptions
from agent.core.ports import Clock, Driver, DriverType, EvidenceFile, Session, Sighting
from models.options import CameraOptions
from models.session import STALE_S, CameraSession
from models.vocabulary import Gear, Thing, fact_of
from models.wire import LONGEST_LINE

_EVIDENCE_LIMIT_S = 30.0
"""Beyond the time that a clip takes: the disk may be slow."""
_ROOT = Path(__file__).parent.parent
_WORDS = {
    "camera_ok": "pictures arrive and show something",
    "fps": "pictures judged in one second",
    "persons": "persons seen",
    **{f"no_{gear}": f"persons without {gear} where it is demanded" for gear in Gear},
    **{fact_of(thing): f"seen of {fact_of(thing)}" for thing in Thing},
    "lying_still": "persons who lie and do not move",
    "running": "persons who run",
    "vehicle_near": "persons to whom a vehicle is near",
    "crossed": "crossings of the line within its time",
    "longest_stay": "longest time that one of them is there",
    "loitering": "persons who are there for longer than they should",
    "absent_for": "time since somebody was at the post",
    "unknown_ppe": "persons whose equipment cannot be judged",
}

_UNITS = {"fps": "1/s", "longest_stay": "s", "absent_for": "s"}


class CameraDriver:
    """Knows one camera; also a PictureSource, and a Witness."""

    def __init__(self, camera: str, options: CameraOptions, clock: Clock) -> None:
        self._camera, self._options, self._clock = camera, options, clock
        self._facts = _facts(options)
        self._picture: bytes | None = None
        self._live: CameraSession | None = None

    @property
    def points(self) -> Sequence[PointInfo]:
        """camera_ok, fps, and the facts of the whole picture and of each zone."""
        return [self._info(name) for name in ("camera_ok", "fps", *self._facts)]

    async def connect(self) -> Session:
        """Start a worker and wait until its model is loaded. Raises NotConnected."""
        session = CameraSession(
            await self._start(), self._facts, self._camera, self._options.timeout, self._clock, self._keep
        )
        try:
            await session.ready()
        except BaseException:
            await session.close()
            raise
        self._live = session
        return session

    async def prove(self) -> Sighting:
        """Have the live worker judge a golden picture. Raises NotConnected."""
        if self._live is None:
            raise NotConnected("the vision worker does not run")
        return await self._live.prove()

    async def keep(self, order: str, folder: str, at_s: float) -> AsyncIterator[EvidenceFile]:
        """Have the live worker keep evidence. Raises NotConnected."""
        if self._live is None:
            raise NotConnected("the vision worker does not run")
        limit_s = self._options.clip_after + _EVIDENCE_LIMIT_S
        async for file in self._live.keep(order, folder, at_s, limit_s):
            yield file

    def picture(self) -> bytes | None:
        """Return the newest annotated frame as JPEG; None while the camera is blind."""
        return self._picture

    def _keep(self, jpeg: bytes | None) -> None:
        self._picture = jpeg

    async def _start(self) -> asyncio.subprocess.Process:
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "models.worker",
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                cwd=_ROOT,
                limit=LONGEST_LINE,
                start_new_session=True,
            )
        except OSError as error:
            raise NotConnected(f"the vision worker cannot be started: {error.strerror}") from error
        order = {"parent": os.getpid(), "camera": self._options.model_dump(mode="json", exclude_unset=True)}
        assert process.stdin is not None
        process.stdin.write(json.dumps(order).encode() + b"\n")
        return process

    def _info(self, name: str) -> PointInfo:
        zone, _, fact = name.rpartition(".")
        stale_s = max(STALE_S, 3 / self._options.fps)
        return PointInfo(
            f"{self._camera}.{name}",
            unit=_UNITS.get(fact, ""),
            zone=zone or self._options.zone,
            description=_WORDS[fact],
            stale_after_s=stale_s,
        )


def _facts(options: CameraOptions) -> list[str]:
    """Name the facts, ``fact`` or ``zone.fact``. What a zone does not demand has no fact: no rule may wait for it."""
    whole = [*_counted(options.demanded), "unknown_ppe"]
    zones = [f"{name}.{fact}" for name, zone in options.zones.items() for fact in _counted(frozenset(zone.demand))]
    behaviours = [f"{name}.{fact}" for name, zone in options.zones.items() for fact in zone.facts]
    things = [
        f"{zone}{fact_of(thing)}" for zone in ("", *(f"{name}." for name in options.zones)) for thing in options.things
    ]
    return list(dict.fromkeys([*whole, *zones, *behaviours, *things, *(f"{name}.crossed" for name in options.lines)]))


def _counted(demand: frozenset[Gear]) -> list[str]:
    return ["persons", *(f"no_{gear}" for gear in Gear if gear in demand)]


def build(device_id: str, device: Any, points: Mapping[str, Any], clock: Clock) -> Driver:
    """Return a driver for a camera; it has no points of its own to configure."""
    del points
    return CameraDriver(device_id, CameraOptions.model_validate(device), clock)


CAMERA = DriverType("camera", CameraOptions, PointOptions, build)
