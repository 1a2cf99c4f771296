"""The replay driver and its session."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import groupby

import structlog

from agent.core.errors import NotConnected, Refused
from agent.core.model import PointInfo, Sample, Value
from agent.core.ports import Clock, Session
from agent.core.recording import Recording
from drivers.replay.options import ReplayDevice, ReplayPoint

log = structlog.get_logger(__name__)
ENDED = "the recording ended"


class ReplayDriver:
    """See ``agent.core.ports.Driver``. Unless it loops, it plays once."""

    def __init__(self, device_id: str, device: ReplayDevice, points: Mapping[str, ReplayPoint], clock: Clock) -> None:
        assert not points, "options allow none"
        self.device, self.clock = device, clock
        self.recording = Recording(device.file)
        self.has_ended = False
        recorded = self.recording.head.points
        source = device.device or _source(device_id, recorded)
        self.names = {info.id: f"{device_id}.{info.id.split('.', 1)[1]}" for info in recorded if _of(info, source)}
        self.points = [replace(info, id=self.names[info.id], writable=False) for info in recorded if _of(info, source)]

    async def connect(self) -> Session:
        """Begin at the beginning."""
        if self.has_ended:
            raise NotConnected(f"{self.device.file.name}: {ENDED}")
        return ReplaySession(self)


class ReplaySession:
    """Samples come as they were received, at the present time; what the device said of time is kept."""

    def __init__(self, driver: ReplayDriver) -> None:
        self._driver = driver
        self._polls = _polls(driver)
        self._start_s = driver.clock.now().mono_s
        self._last: dict[str, Sample] = {}

    async def read(self) -> Sequence[Sample]:
        """Wait for the next samples that were received together, and return them."""
        poll = next(self._polls, None)
        if poll is None:
            self._driver.has_ended = not self._driver.device.loop
            raise NotConnected(f"{self._driver.device.file.name}: {ENDED}")
        due_s = self._start_s + poll[0].received_s / self._driver.device.speed
        await asyncio.sleep(max(due_s - self._driver.clock.now().mono_s, 0.0))
        now = self._driver.clock.now()
        samples = [
            sample._replace(point=self._driver.names[sample.point], received_at=now.utc, received_s=now.mono_s)
            for sample in poll
        ]
        self._last |= {sample.point: sample for sample in samples}
        return samples

    async def fetch(self, points: Collection[str]) -> Sequence[Sample]:
        """Return what was played last of these points."""
        now = self._driver.clock.now()
        return [self._last.get(point) or Sample.bad(point, "not played yet", now) for point in points]

    async def write(self, point: str, _value: Value) -> None:
        """A recording cannot be written to."""
        raise Refused(f"{point} is recorded; a recording cannot be written to")

    async def close(self) -> None:
        """There is nothing to close."""


def _polls(driver: ReplayDriver) -> Iterator[list[Sample]]:
    """Yield samples that were received at the same moment."""
    for _, poll in groupby(_samples(driver), key=lambda sample: sample.received_s):
        yield list(poll)


def _samples(driver: ReplayDriver) -> Iterator[Sample]:
    """Yield the device's samples, and tell of those that are lost when it comes to their place."""
    recording, told = driver.recording, 0
    for batch in recording.batches():
        if recording.gaps > told:
            told = recording.gaps
            log.warning(
                "recording damaged, samples are missing", file=str(recording.path), before_s=batch[0].received_s
            )
        yield from (sample for sample in batch if sample.point in driver.names)
    if recording.is_cut:
        log.warning("recording damaged, its end is missing", file=str(recording.path))


def _source(device_id: str, points: Sequence[PointInfo]) -> str:
    devices = {info.id.split(".")[0] for info in points}
    return next(iter(devices)) if len(devices) == 1 else device_id


def _of(info: PointInfo, device: str) -> bool:
    return info.id.startswith(f"{device}.")
