"""A day of flapping: a device that is lost and found again every half minute, and what is left of it in memory.

The connections of 24 hours (2,880 for Modbus, a share of them for OPC UA and MQTT, whose connecting takes
longer) are made one after the other through a proxy that cuts each of them in the middle of the work.
What counts is the growth after the first tenth, when caches have filled. A day's garbage comes in half a
minute, so the collector is called as often as it would be in a day: each dead transport of asyncio is a cycle.
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
from tests.drivers.rigs import Proxy, Rig, libmodbus, mosquitto_plant, node_opcua

DAY = 2880
"""Connections of a day, one every 30 s."""
MOST_MB = 3.0
COLLECT_EVERY = 100
"""Connections between two rounds of the garbage collector."""


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
    proxy = Proxy(rig.server.port)
    async with proxy as port:
        driver = rig.at_port(port)
        start = 0.0
        for number in range(times):
            if number % COLLECT_EVERY == 0:
                gc.collect()
            if number == times // 10:
                start = _resident()
            with suppress(NotConnected):
                session = await driver.connect()
                try:
                    await session.read()
                    proxy.cut()
                    while True:
                        await session.read()
                finally:
                    await session.close()
        assert len(asyncio.all_tasks()) < 6, "tasks are left behind"
        return _resident() - start


def _resident() -> float:
    gc.collect()
    return float(psutil.Process().memory_info().rss) / 1e6
