"""The simulated driver and its session. What is written stays, also when the session ends."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence

from agent.core.errors import Refused
from agent.core.model import PointInfo, Sample, Value
from agent.core.ports import Clock, Session
from drivers.scaling import Scaling
from drivers.simulated.options import SimulatedDevice, SimulatedPoint
from drivers.simulated.signals import value_at


class SimulatedDriver:
    """See ``agent.core.ports.Driver``. Time begins when it is built."""

    def __init__(
        self, device_id: str, device: SimulatedDevice, points: Mapping[str, SimulatedPoint], clock: Clock
    ) -> None:
        self.device, self.clock = device, clock
        self.options = {f"{device_id}.{name}": point for name, point in points.items()}
        self.scalings = {id_: Scaling.of(point) for id_, point in self.options.items()}
        self.start_s = clock.now().mono_s
        self.points = [_info(id_, point, device.poll) for id_, point in self.options.items()]

    async def connect(self) -> Session:
        """Nothing can go wrong here."""
        return SimulatedSession(self)


class SimulatedSession:
    """See ``agent.core.ports.Session``."""

    def __init__(self, driver: SimulatedDriver) -> None:
        self._driver = driver
        self._next_s = {period_s: driver.clock.now().mono_s for period_s in set(map(self._period_s, driver.options))}

    async def read(self) -> Sequence[Sample]:
        """Wait for the next poll of any group of points, and return it."""
        if not self._next_s:
            await asyncio.sleep(self._driver.device.poll)
            return []
        period_s = min(self._next_s, key=lambda each: self._next_s[each])
        await asyncio.sleep(max(self._next_s[period_s] - self._driver.clock.now().mono_s, 0.0))
        self._next_s[period_s] = max(self._next_s[period_s] + period_s, self._driver.clock.now().mono_s)
        return await self.fetch([id_ for id_ in self._driver.options if self._period_s(id_) == period_s])

    async def fetch(self, points: Collection[str]) -> Sequence[Sample]:
        """Return these points now."""
        return [self._sample(point) for point in points]

    async def write(self, point: str, value: Value) -> None:
        """Keep a value, for every session that this process has with the device."""
        if not self._driver.options[point].writable:
            raise Refused(f"{point} is not 'writable' in the site's file")
        _WRITTEN[point] = value

    async def close(self) -> None:
        """There is nothing to close."""

    def _period_s(self, point: str) -> float:
        return self._driver.options[point].poll or self._driver.device.poll

    def _sample(self, id_: str) -> Sample:
        driver, options, now = self._driver, self._driver.options[id_], self._driver.clock.now()
        seconds = now.mono_s - driver.start_s
        for fault in options.faults:
            if fault.covers(seconds):
                return Sample.bad(id_, fault.reason, now)
        if id_ in _WRITTEN and options.writable:
            return Sample.good(id_, _WRITTEN[id_], now)
        raw = value_at(options, id_, driver.device.seed, seconds)
        value = driver.scalings[id_].apply(raw) if isinstance(raw, int | float) and not isinstance(raw, bool) else raw
        return Sample.good(id_, value, now, now.utc)


_WRITTEN: dict[str, Value] = {}
"""The memory of devices that are not there: one for all the drivers of a process, as a real device has one."""


def _info(id_: str, point: SimulatedPoint, poll_s: float) -> PointInfo:
    stale_after_s = 3 * (point.poll or poll_s) if point.stale_after is None else point.stale_after
    return PointInfo(id_, point.unit, point.zone, point.description, point.writable, stale_after_s)
