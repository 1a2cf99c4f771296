"""A day of flapping: a device that is lost and found again every half minute, and what is left of it in memory.

The connections of 24 hours (2,880 for Modbus, a share of them for OPC UA and MQTT, whose connecting takes
longer) are made one after the other through a proxy that cuts each of them in the middle of the work.
What counts is the growth after the first tenth, when caches have filled.
"""

from __future__ import annotations

import asyncio
import gc
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil

from agent.core.errors import NotConnected
from agent.memory import calm_collector
from benchmarks.row import Row, row
from tests.drivers.rigs import Rig, libmodbus, mosquitto_plant, node_opcua

DAY = 2880
"""Connections of a day, one every 30 s."""
MOST_MB = 3.0


def rows() -> list[Row]:
    """Flap each protocol, and measure."""
    calm_collector()
    return [
        _flap("modbus", libmodbus, DAY),
        _flap("opcua", node_opcua, DAY // 8),
        _flap("mqtt", mosquitto_plant, DAY // 8),
    ]


def _flap(name: str, make: Callable[[Path], Rig], times: int) -> Row:
    with tempfile.TemporaryDirectory() as folder:
        rig = make(Path(folder))
        if "poll" in rig.device:
            rig.device["poll"] = 0.005
        rig.server.start()
        try:
            growth = asyncio.run(_growth(rig, times))
        finally:
            rig.server.kill()
    return row(f"flapping: memory that {times:,} lost connections of {name} leave", growth, "MB", most=MOST_MB)


async def _growth(rig: Rig, times: int) -> float:
    async with Cutting(rig.server.port) as port:
        driver = rig.at_port(port)
        start = 0.0
        for number in range(times):
            if number == times // 10:
                start = _resident()
            with suppress(NotConnected):
                session = await driver.connect()
                try:
                    await session.read()
                    CUT.set()
                    while True:
                        await session.read()
                finally:
                    await session.close()
        assert len(asyncio.all_tasks()) < 6, "tasks are left behind"
        return _resident() - start


CUT = asyncio.Event()


class Cutting:
    """A TCP proxy before a server, which aborts every connection when ``CUT`` is set."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> int:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return int(self._server.sockets[0].getsockname()[1])

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        CUT.clear()
        theirs, to_them = await asyncio.open_connection("127.0.0.1", self._target)
        pumps = [asyncio.create_task(_pump(reader, to_them)), asyncio.create_task(_pump(theirs, writer))]
        cut = asyncio.create_task(CUT.wait())
        await asyncio.wait([*pumps, cut], return_when=asyncio.FIRST_COMPLETED)
        for task in (*pumps, cut):
            task.cancel()
        for each in (writer, to_them):
            each.transport.abort()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)


def _resident() -> float:
    gc.collect()
    return float(psutil.Process().memory_info().rss) / 1e6
