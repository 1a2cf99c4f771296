"""A camera as a driver: a worker process whose reports become samples."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from agent.core.errors import NotConnected, Refused
from agent.core.model import Instant, PointInfo, Sample, Value
from agent.core.options import PointOptions
from agent.core.ports import Clock, Driver, DriverType, Session
from models.options import CameraOptions, Gear
from models.redaction import redact
from models.wire import LONGEST_LINE, Message, Report, receive

START_LIMIT_S = 30.0
"""A slow PC may take long to load the model."""
STALE_S = 2.0
_LAST_WORDS = 4
_ROOT = Path(__file__).parent.parent
_WORDS = {
    "camera_ok": "pictures arrive and show something",
    "fps": "pictures judged in one second",
    "persons": "persons seen",
    "no_helmet": "persons without a helmet where one is demanded",
    "no_vest": "persons without a vest where one is demanded",
    "unknown_ppe": "persons whose equipment cannot be judged",
}


class CameraSession:
    """A live worker. ``keep`` is given each picture, and None when there is none worth showing."""

    def __init__(
        self,
        process: asyncio.subprocess.Process,
        facts: Sequence[str],
        camera: str,
        timeout_s: float,
        clock: Clock,
        keep: Callable[[bytes | None], None],
    ) -> None:
        self._process, self._facts, self._camera = process, facts, camera
        self._timeout_s, self._clock, self._keep = timeout_s, clock, keep
        self._turn = asyncio.Lock()
        self._latest: dict[str, Sample] = {}
        self._words: deque[str] = deque(maxlen=_LAST_WORDS)
        self._listener = asyncio.create_task(self._listen(), name=f"{camera}.stderr")

    @property
    def pid(self) -> int:
        """The worker's process id."""
        return self._process.pid

    async def ready(self) -> None:
        """Wait until the model is loaded. Raises NotConnected."""
        await self._receive(max(START_LIMIT_S, self._timeout_s))

    async def read(self) -> Sequence[Sample]:
        """Return the facts of the next report; empty for a mere sign of life. Raises NotConnected."""
        async with self._turn:
            message = await self._receive(self._timeout_s)
            if message.report is None:
                return []
            batch = self._samples(message.report)
            if message.jpeg or message.report.blind:
                self._keep(message.jpeg)
            self._latest = {sample.point: sample for sample in batch}
            return batch

    async def fetch(self, points: Collection[str]) -> Sequence[Sample]:
        """Return these points as the next report has them, waiting up to the timeout for a camera that sees."""
        wanted = set(points)
        until_s = self._clock.now().mono_s + self._timeout_s
        while not self._latest or (not self._sees() and self._clock.now().mono_s < until_s):
            await self.read()
        return [sample for point, sample in self._latest.items() if point in wanted]

    async def write(self, point: str, value: Value) -> None:
        """Refuse: a camera has nothing to write."""
        del value
        raise Refused(f"{point} is seen by a camera and cannot be written")

    async def close(self) -> None:
        """Kill the worker."""
        self._keep(None)
        with suppress(ProcessLookupError):
            self._process.kill()
        with suppress(TimeoutError):
            async with asyncio.timeout(0.8):
                await self._process.wait()
        self._listener.cancel()

    def _sees(self) -> bool:
        sample = self._latest.get(f"{self._camera}.camera_ok")
        return sample is not None and sample.value is True

    async def _receive(self, limit_s: float) -> Message:
        assert self._process.stdout is not None
        try:
            async with asyncio.timeout(limit_s):
                message = await receive(self._process.stdout)
        except TimeoutError as error:
            raise NotConnected(f"the vision worker was silent for {limit_s:g} s (killed)") from error
        if message is None:
            raise NotConnected(await self._epitaph())
        return message

    async def _epitaph(self) -> str:
        with suppress(TimeoutError):
            async with asyncio.timeout(1.0):
                await self._process.wait()
                await asyncio.shield(self._listener)
        code = self._process.returncode
        how = "ended" if code is None else f"was killed by signal {-code}" if code < 0 else f"ended with status {code}"
        words = " | ".join(self._words)
        return f"the vision worker {how}{': ' + words if words else ''}"

    async def _listen(self) -> None:
        """Keep the last lines that the worker wrote for people."""
        assert self._process.stderr is not None
        with suppress(ValueError):
            async for line in self._process.stderr:
                text = redact(line.decode(errors="replace").strip())
                if text:
                    self._words.append(text)

    def _samples(self, report: Report) -> list[Sample]:
        now = self._clock.now()
        late_s = now.mono_s - report.taken_s
        blind = report.blind or (f"pictures come {late_s:.1f} s late" if late_s > STALE_S else "")
        batch = [
            Sample.good(f"{self._camera}.camera_ok", not blind, now),
            Sample.good(f"{self._camera}.fps", report.fps, now),
        ]
        values = _flatten(report)
        return [*batch, *(self._fact(name, values, blind, now) for name in self._facts)]

    def _fact(self, name: str, values: Mapping[str, int], blind: str, now: Instant) -> Sample:
        point = f"{self._camera}.{name}"
        if blind or name not in values:
            return Sample.bad(point, f"camera blind: {blind or 'not judged'}", now)
        return Sample.good(point, values[name], now)


class CameraDriver:
    """Knows one camera; also a PictureSource."""

    def __init__(self, camera: str, options: CameraOptions, clock: Clock) -> None:
        self._camera, self._options, self._clock = camera, options, clock
        self._facts = _facts(options)
        self._picture: bytes | None = None

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
        return session

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
            unit="1/s" if fact == "fps" else "",
            zone=zone or self._options.zone,
            description=_WORDS[fact],
            stale_after_s=stale_s,
        )


def _facts(options: CameraOptions) -> list[str]:
    """Name the facts, ``fact`` or ``zone.fact``. What a zone does not demand has no fact: no rule may wait for it."""
    whole = [*_counted(options.demanded), "unknown_ppe"]
    zones = [f"{name}.{fact}" for name, zone in options.zones.items() for fact in _counted(frozenset(zone.demand))]
    return [*whole, *zones]


def _counted(demand: frozenset[Gear]) -> list[str]:
    missing = {Gear.HELMET: "no_helmet", Gear.VEST: "no_vest"}
    return ["persons", *(fact for gear, fact in missing.items() if gear in demand)]


def _flatten(report: Report) -> dict[str, int]:
    values = dict(report.whole or {})
    for zone, count in (report.zones or {}).items():
        values.update({f"{zone}.{fact}": value for fact, value in count.items()})
    return values


def build(device_id: str, device: Any, points: Mapping[str, Any], clock: Clock) -> Driver:
    """Return a driver for a camera; it has no points of its own to configure."""
    del points
    return CameraDriver(device_id, CameraOptions.model_validate(device), clock)


CAMERA = DriverType("camera", CameraOptions, PointOptions, build)
