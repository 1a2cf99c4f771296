"""Poll rate and CPU of the Modbus driver beside bare pymodbus with perfect blocks.

Both sides talk to the same libmodbus server (a process of its own) in the same run, in turns, so that
a busy machine hurts both alike. The bare side reads the blocks that an engineer would write down by
hand and throws the registers away; the driver makes a Sample with quality and time of every one of
them, which is what the ratio shows; the goal is on what that costs.
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from pymodbus.client import AsyncModbusTcpClient

from agent.core.clock import SystemClock
from agent.core.ports import Session
from benchmarks.row import Row, row
from drivers import REGISTRY
from tests.drivers.rigs import build_libmodbus
from tests.servers.process import Server, free_port

TURNS = 8
"""Measured alternately, the best of which counts: what the machine can do, not what disturbed it."""
Poll = Callable[[], Awaitable[object]]


def rows() -> list[Row]:
    """Start the server and measure."""
    with tempfile.TemporaryDirectory() as folder:
        port = free_port()
        server = Server([str(build_libmodbus(Path(folder))), str(port), "10000"], port)
        server.start()
        try:
            return asyncio.run(_measure(port))
        finally:
            server.kill()


async def _measure(port: int) -> list[Row]:
    found: list[Row] = []
    for points, polls in ((200, 60), (10_000, 3)):
        ours_s, bare_s, cpu_s = await _compare(port, points, polls)
        found.append(_beside(f"modbus: full-speed polls of {points} registers", 1 / ours_s, 1 / bare_s))
        extra_us = (ours_s - bare_s) / points * 1e6
        found.append(row(f"modbus: time of a sample beyond bare pymodbus, {points} points", extra_us, "µs", most=6))
        if points == 200:
            found.append(row("modbus: CPU of 200 points polled at 100 ms", cpu_s * 10 * 100, "% of a core", most=3))
    return found


def _beside(name: str, value: float, baseline: float) -> Row:
    ratio = round(value / baseline, 3)
    return Row(name=name, value=round(value, 1), unit="/s", goal="", baseline=round(baseline, 1), ratio=ratio, met=None)


async def _compare(port: int, points: int, polls: int) -> tuple[float, float, float]:
    """Return wall seconds per poll of the driver and of bare pymodbus, and the driver's CPU seconds per poll."""
    session = await _session(port, points)
    client = AsyncModbusTcpClient("127.0.0.1", port=port, timeout=2, retries=0, reconnect_delay=0)
    await client.connect()
    ours, bare = [], []
    for _ in range(TURNS):
        ours.append(await _timed(session.read, polls))
        bare.append(await _timed(lambda: _by_hand(client, points), polls))
    await session.close()
    client.close()
    best = min(wall_s for wall_s, _ in ours)
    return best, min(wall_s for wall_s, _ in bare), statistics.median(cpu_s for _, cpu_s in ours)


async def _session(port: int, points: int) -> Session:
    kind = REGISTRY["modbus-tcp"]
    device = kind.device.model_validate({"host": "127.0.0.1", "port": port, "poll": 1e-6, "timeout": 2.0})
    each = {str(n): kind.point.model_validate({"address": {"table": "holding", "offset": n}}) for n in range(points)}
    session = await kind.build("plc", device, each, SystemClock()).connect()
    batch = await session.read()
    assert [sample.value for sample in batch] == list(range(points)), "the driver must read what the server holds"
    return session


async def _by_hand(client: AsyncModbusTcpClient, points: int) -> None:
    for first in range(0, points, 125):
        answer = await client.read_holding_registers(first, count=min(125, points - first), device_id=1)
        assert len(answer.registers) == min(125, points - first)


async def _timed(poll: Poll, polls: int) -> tuple[float, float]:
    """Return wall and CPU seconds per poll of this process."""
    wall_s, cpu_s = time.perf_counter(), time.process_time()
    for _ in range(polls):
        await poll()
    return (time.perf_counter() - wall_s) / polls, (time.process_time() - cpu_s) / polls
