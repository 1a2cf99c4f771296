"""The Modbus driver beside bare pymodbus: with the blocks that an engineer would write by hand, and tag by tag.

All sides talk to the same libmodbus server (a process of its own) in the same run, in turns, so that a
busy machine hurts them alike. The bare side throws the registers away; the driver makes a Sample with
quality and time of every one of them.
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

from pymodbus.client import AsyncModbusTcpClient

from agent.core.clock import SystemClock
from agent.core.model import Sample
from agent.core.ports import Driver
from agent.facts import FactTable
from agent.memory import calm_collector
from agent.runner import Runner
from benchmarks.row import Row, ratio_row, row
from drivers import REGISTRY
from tests.drivers.rigs import Silent, build_libmodbus
from tests.servers.process import Server, free_port

TURNS = 21
"""Both sides are measured one right after the other; the median of the ratios counts, as the machine's pace drifts."""
STEADY_S = 5.0
Poll = Callable[[], Awaitable[object]]
Blocks = Sequence[tuple[int, int]]
"""Offset and count of the requests that bare pymodbus makes."""
CONTIGUOUS = [(first, 125) for first in range(0, 10_000, 125)]
SCATTERED = [offset for offset in range(12_500) if offset % 5]
"""10,000 registers with a hole after every fourth."""


def rows() -> list[Row]:
    """Start the server and measure."""
    calm_collector()
    with _server(12_500) as port:
        return asyncio.run(_measure(port))


PLCS = 50
"""Devices in the hall, one of which hangs."""


async def _measure(port: int) -> list[Row]:
    scattered = [(first, min(125, 12_500 - first)) for first in range(1, 12_500, 125)]
    return [
        await _beside(port, "10,000 contiguous registers", range(10_000), CONTIGUOUS, 0.9),
        await _beside(port, "10,000 registers with holes", SCATTERED, scattered, 0.8),
        await _beside(port, "200 registers", range(200), [(0, 125), (125, 75)], None),
        await _beside(port, "500 tags, pymodbus asks for each", range(500), [(n, 1) for n in range(500)], None),
        await _cpu(port, 10_000, 35),
        await _cpu(port, 200, 3),
        *await _jitter(port),
    ]


async def _beside(port: int, name: str, offsets: Sequence[int], blocks: Blocks, least_ratio: float | None) -> Row:
    """Return full-speed reads per second beside what pymodbus does by hand."""
    session = await _driver(port, offsets, poll=1e-6, timeout=2.0).connect()
    batch = await session.read()
    assert [sample.value for sample in batch] == list(offsets), "the driver must read what the server holds"
    client = AsyncModbusTcpClient("127.0.0.1", port=port, timeout=2, retries=0, reconnect_delay=0)
    await client.connect()
    polls = max(5, 20_000 // (len(offsets) + 20 * len(blocks)))
    ours, bare = [], []
    for _ in range(TURNS):
        ours.append(await _timed(session.read, polls))
        bare.append(await _timed(lambda: _by_hand(client, blocks), polls))
    await session.close()
    client.close()
    ratio = statistics.median(theirs_s / ours_s for ours_s, theirs_s in zip(ours, bare, strict=True))
    rate = 1 / statistics.median(ours)
    return ratio_row(f"modbus: polls of {name}", rate, "/s", rate / ratio, least_ratio)


async def _by_hand(client: AsyncModbusTcpClient, blocks: Blocks) -> None:
    for first, count in blocks:
        answer = await client.read_holding_registers(first, count=count, device_id=1)
        assert len(answer.registers) == count


async def _timed(poll: Poll, polls: int) -> float:
    """Return seconds per poll."""
    started_s = time.perf_counter()
    for _ in range(polls):
        await poll()
    return (time.perf_counter() - started_s) / polls


async def _cpu(port: int, points: int, most: float) -> Row:
    """Return what polling every 100 ms costs, up to and with the table of facts."""
    driver = _driver(port, range(points), poll=0.1, timeout=2.0)
    facts = FactTable(driver.points)
    seen = 0

    def ingest(samples: Sequence[Sample]) -> None:
        nonlocal seen
        seen += len(samples)
        facts.update(samples)

    task = asyncio.create_task(Runner("plc", driver, SystemClock(), ingest, lambda *_: None).run())
    await asyncio.sleep(1.0)
    seen, cpu_s = 0, time.process_time()
    await asyncio.sleep(STEADY_S)
    share = (time.process_time() - cpu_s) / STEADY_S * 100
    task.cancel()
    await asyncio.wait([task])
    assert seen >= points * STEADY_S * 10 * 0.9, f"only {seen} samples came"
    return row(f"modbus: CPU of {points:,} registers polled at 100 ms", share, "% of a core", most=most)


async def _jitter(port: int) -> list[Row]:
    """Return how late polls of devices at 100 ms, each on a line of its own, are while another one has hung."""
    at: dict[str, list[float]] = {}

    def ingest(samples: Sequence[Sample]) -> None:
        for sample in samples[:1]:
            at.setdefault(sample.point, []).append(sample.received_s)

    async with Silent() as dead:
        drivers = [
            _driver(port, range(20), f"d{n}", f"127.0.0.{n + 1}", poll=0.1, timeout=0.5) for n in range(PLCS - 1)
        ]
        drivers.append(_driver(dead, range(20), "dead", poll=0.1, timeout=0.5))
        clock = SystemClock()
        tasks = [
            asyncio.create_task(Runner(f"d{n}", each, clock, ingest, lambda *_: None).run())
            for n, each in enumerate(drivers)
        ]
        await asyncio.sleep(STEADY_S)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
    gaps = sorted(
        abs(after - before - 0.1) * 1000
        for point, times in at.items()
        if not point.startswith("dead")
        for before, after in pairwise(times[2:])
    )
    assert len(gaps) > PLCS * 30, f"only {len(gaps)} polls"
    p99 = gaps[int(len(gaps) * 0.99)]
    return [row(f"modbus: poll jitter p99 of {PLCS - 1} devices beside a hung one", p99, "ms", most=20)]


def _driver(port: int, offsets: Sequence[int], name: str = "plc", host: str = "127.0.0.1", **device: object) -> Driver:
    kind = REGISTRY["modbus-tcp"]
    options = kind.device.model_validate({"host": host, "port": port, **device})
    points = {str(n): kind.point.model_validate({"address": {"table": "holding", "offset": n}}) for n in offsets}
    return kind.build(name, options, points, SystemClock())


@contextmanager
def _server(size: int) -> Iterator[int]:
    with tempfile.TemporaryDirectory() as folder:
        port = free_port()
        server = Server([str(build_libmodbus(Path(folder))), str(port), str(size), str(PLCS)], port)
        server.start()
        try:
            yield port
        finally:
            server.kill()
