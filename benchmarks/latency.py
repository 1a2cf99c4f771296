"""From a change in the PLC to the siren's coil, by the PLC's own clock; also while other parts are killed."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from agent.demo.process import Child, free_port
from benchmarks.plant import Plant, children_of, percentile, running
from benchmarks.row import Row, row
from tests.drivers.rigs import build_libmodbus
from tests.servers.process import Server

PULSES = 150
PLCS = 50
"""PLCs in the hall beside the one with the siren, each polled every 100 ms."""
GOAL_MS = 150.0
ADDED_MS = 50.0
"""What the death of another part may add."""


def rows() -> list[Row]:
    """Return p50, p99 and max of each phase; 200 points at 100 ms, camera running, 50 other PLCs in the hall."""
    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(_measure(Path(folder)))


async def _measure(folder: Path) -> list[Row]:
    with _hall(folder) as (hall, other):
        return await _in_a_hall(folder, hall, other)


async def _in_a_hall(folder: Path, hall: Server, other: Server) -> list[Row]:
    async with running(folder, camera=True, replace=("devices:\n", f"devices:\n{_more(hall, other)}")) as plant:
        await _camera_up(plant)
        hmi = _hmi(plant)
        await hmi.start()
        phases: dict[str, Callable[[], Awaitable[None]]] = {
            "all well": _nothing,
            "broker killed": lambda: _kill_broker(plant),
            "HMI killed": lambda: _kill_hmi(hmi),
            "vision worker killed": lambda: _signal_worker(plant, signal.SIGKILL),
            "vision worker hung": lambda: _signal_worker(plant, signal.SIGSTOP),
            f"one of {PLCS} PLCs hung": lambda: _hang(other),
        }
        measured = {name: await _phase(plant, disturb) for name, disturb in phases.items()}
        await hmi.stop()
        return [each for name, values in measured.items() for each in _report(name, values, measured["all well"])]


def _report(name: str, values: list[float], undisturbed: list[float]) -> list[Row]:
    found = [
        row(f"change to siren, {name}: p50 of {len(values)}", percentile(values, 0.5), "ms"),
        row(f"change to siren, {name}: p99", percentile(values, 0.99), "ms", most=GOAL_MS),
        row(f"change to siren, {name}: max", max(values), "ms"),
    ]
    if values is not undisturbed:
        delay_ms = percentile(values, 0.99) - percentile(undisturbed, 0.99)
        found.append(row(f"change to siren, {name}: p99 beyond all well", delay_ms, "ms", most=ADDED_MS))
    return found


async def _phase(plant: Plant, disturb: Callable[[], Awaitable[None]]) -> list[float]:
    plant.latencies_ms.clear()
    count = PULSES if disturb is _nothing else PULSES // 3
    for number in range(count):
        if number % 17 == 3:
            await disturb()
        await asyncio.sleep(random.uniform(0.05, 0.25))
        await plant.pulse()
    return list(plant.latencies_ms)


@contextmanager
def _hall(folder: Path) -> Iterator[tuple[Server, Server]]:
    """Start the other PLCs: all but one in one process, and one that will hang."""
    binary = str(build_libmodbus(folder))
    servers = []
    for count in (PLCS - 1, 1):
        port = free_port()
        servers.append(Server([binary, str(port), "900", str(count)], port))
        servers[-1].start()
    try:
        yield servers[0], servers[1]
    finally:
        for server in servers:
            server.kill()


def _more(hall: Server, other: Server) -> str:
    """Return the devices of the hall as lines of a site file, with 20 points each at 100 ms."""
    points = ", ".join(f"r{n}: {{address: {40001 + n}}}" for n in range(20))
    places = [(f"127.0.0.{n + 1}", hall.port) for n in range(PLCS - 1)] + [("127.0.0.1", other.port)]
    line = "  hall{}: {{protocol: modbus-tcp, host: {}, port: {}, poll: 100ms, points: {{{}}}}}\n"
    return "".join(line.format(number, host, port, points) for number, (host, port) in enumerate(places))


async def _hang(server: Server) -> None:
    server.hang()


async def _nothing() -> None:
    return


async def _kill_broker(plant: Plant) -> None:
    if plant.broker.child.alive:
        os.kill(plant.broker.child.pid, signal.SIGKILL)
    else:
        await plant.broker.start()


async def _kill_hmi(hmi: Child) -> None:
    if hmi.alive:
        os.kill(hmi.pid, signal.SIGKILL)
    else:
        await hmi.start()


async def _signal_worker(plant: Plant, number: int) -> None:
    for pid in children_of(plant.agent.pid, "models.worker"):
        os.kill(pid, number)


async def _camera_up(plant: Plant) -> None:
    async with asyncio.timeout(30.0):
        while not all(camera["state"] == "online" for camera in (await plant.ask("status"))["cameras"]):
            await asyncio.sleep(0.2)


def _hmi(plant: Plant) -> Child:
    port = str(free_port())
    command = [sys.executable, "-m", "agent", "hmi", "--socket", str(plant.socket), "--port", port]
    return Child("hmi", command, plant.folder / "hmi.log")
