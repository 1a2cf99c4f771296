"""The GPIO driver and its session: edges at once, and every line once a second."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress

from agent.core.errors import NotConnected, Refused
from agent.core.model import PointInfo, Sample, Value
from agent.core.ports import Clock, Session
from drivers.gpio.lines import Line, Lines
from drivers.gpio.options import GpioDevice, GpioPoint
from drivers.scaling import to_switch

PERIOD_S = 1.0
LINES = Lines()


class GpioDriver:
    """See ``agent.core.ports.Driver``."""

    def __init__(self, device_id: str, device: GpioDevice, points: Mapping[str, GpioPoint], clock: Clock) -> None:
        self._device, self._clock = device, clock
        self._options = {f"{device_id}.{name}": point for name, point in points.items()}
        self.points = [
            PointInfo(id_, point.unit, point.zone, point.description, point.writable, point.stale_after or 5 * PERIOD_S)
            for id_, point in self._options.items()
        ]

    async def connect(self) -> Session:
        """Request the lines from the kernel. Raises NotConnected."""
        session = GpioSession(self._options, self._clock)
        session.open(self._device.chip)
        return session


class GpioSession:
    """See ``agent.core.ports.Session``."""

    def __init__(self, points: Mapping[str, GpioPoint], clock: Clock) -> None:
        self._points, self._clock = points, clock
        self._lines: dict[str, Line] = {}
        self._watched: list[int] = []
        self._edge = asyncio.Event()
        self._has_read = False

    def open(self, chip: str) -> None:
        """Take the lines. Raises NotConnected."""
        self._lines = LINES.take(self, chip, self._points)

    async def read(self) -> Sequence[Sample]:
        """Wait for an edge, or for a second; return all lines."""
        if not self._has_read:
            self._has_read = True
            self._watch()
            return await self.fetch(self._lines)
        try:
            async with asyncio.timeout(PERIOD_S):
                await self._edge.wait()
        except TimeoutError:
            pass
        self._edge.clear()
        return await self.fetch(self._lines)

    async def fetch(self, points: Collection[str]) -> Sequence[Sample]:
        """Return these lines now."""
        now = self._clock.now()
        return [Sample.good(id_, self._lines[id_].get(), now) for id_ in points]

    async def write(self, point: str, value: Value) -> None:
        """Drive a line."""
        if not self._points[point].writable:
            raise Refused(f"{point} is not 'writable' in the site's file")
        try:
            switch = to_switch(value)
        except ValueError as error:
            raise Refused(str(error)) from error
        self._lines[point].set(switch)

    async def close(self) -> None:
        """Give the lines back."""
        for descriptor in self._watched:
            asyncio.get_running_loop().remove_reader(descriptor)
        self._watched = []
        LINES.release(self)

    def _watch(self) -> None:
        loop = asyncio.get_running_loop()
        for id_, line in self._lines.items():
            if not self._points[id_].writable:
                loop.add_reader(line.fileno, self._on_edge, line)
                self._watched.append(line.fileno)

    def _on_edge(self, line: Line) -> None:
        self._edge.set()
        with suppress(NotConnected):  # the chip is gone: the next read says so
            line.forget_edges()
