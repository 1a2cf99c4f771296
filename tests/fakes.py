"""A plant in memory: a driver whose device can be lost, hang, refuse and lie."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence

from agent.core.errors import NotConnected, Refused
from agent.core.model import Alarm, EventDraft, PointInfo, Sample, Value
from agent.core.ports import Clock


class FakeDevice:
    """What the driver talks to; tests change it at will."""

    def __init__(self, values: dict[str, Value]) -> None:
        self.values = values
        self.alive = True
        self.refuses: set[str] = set()
        self.ignores: set[str] = set()
        self.writes: list[tuple[str, Value]] = []
        self.sessions = 0
        self.news = asyncio.Event()

    def set(self, point: str, value: Value) -> None:
        self.values[point] = value
        self.news.set()

    def kill(self) -> None:
        self.alive = False
        self.news.set()


class FakeSession:
    def __init__(self, device: FakeDevice, clock: Clock) -> None:
        self._device, self._clock = device, clock
        self.closed = False
        device.news.set()

    async def read(self) -> Sequence[Sample]:
        await self._device.news.wait()
        self._device.news.clear()
        return await self.fetch(self._device.values)

    async def fetch(self, points: Collection[str]) -> Sequence[Sample]:
        self._check()
        now = self._clock.now()
        return [Sample.good(point, self._device.values[point], now) for point in points]

    async def write(self, point: str, value: Value) -> None:
        self._check()
        if point in self._device.refuses:
            raise Refused("illegal data address")
        self._device.writes.append((point, value))
        if point not in self._device.ignores:
            self._device.values[point] = value

    async def close(self) -> None:
        self.closed = True

    def _check(self) -> None:
        if not self._device.alive:
            raise NotConnected("connection reset")


class FakeDriver:
    def __init__(self, device: FakeDevice, clock: Clock) -> None:
        self.device, self._clock = device, clock
        self.points = [PointInfo(point) for point in device.values]

    async def connect(self) -> FakeSession:
        if not self.device.alive:
            raise NotConnected("connection refused")
        self.device.sessions += 1
        return FakeSession(self.device, self._clock)


class FakeRecorder:
    def __init__(self) -> None:
        self.events: list[EventDraft] = []
        self.alarms: list[Alarm] = []
        self.rules_revision = ""
        self.listener: Callable[[], None] = lambda: None

    def record(self, events: Sequence[EventDraft], alarms: Sequence[Alarm]) -> None:
        self.events.extend(events)
        self.alarms.extend(alarms)
        self.listener()


async def until(condition: object, limit_s: float = 3.0) -> None:
    """Wait until ``condition()`` holds; fail with its name when it does not."""
    assert callable(condition)
    try:
        async with asyncio.timeout(limit_s):
            while not condition():
                await asyncio.sleep(0.005)
    except TimeoutError:
        raise AssertionError(f"never came true within {limit_s} s: {condition}") from None
