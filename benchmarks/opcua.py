"""What 10,000 changing values a second cost over OPC UA, and how old they are at the rules.

The server (node-opcua, a process of its own) changes 1,000 variables ten times a second. The age is that
of the oldest sample in each batch when ``read`` has returned it and the table of facts holds it, counted
from the moment its octets came: what was before is the server's sampling and publishing, which the site chooses.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from pathlib import Path
from typing import Any

from asyncua import ua

from agent.core.clock import SystemClock
from agent.facts import FactTable
from agent.memory import calm_collector
from benchmarks.row import Row, row
from drivers import REGISTRY
from drivers.opcua.session import OpcUaSession
from tests.servers.process import HERE, Server, free_port

VARIABLES, PERIOD_MS = 1000, 100
STEADY_S = 8.0


def rows() -> list[Row]:
    """Start the server and measure."""
    calm_collector()
    with tempfile.TemporaryDirectory() as folder:
        port = free_port()
        command = ["node", str(HERE / "opcua_load.js"), str(port), str(Path(folder) / "pki")]
        server = Server([*command, str(VARIABLES), str(PERIOD_MS)], port)
        server.start()
        try:
            return asyncio.run(_measure(port))
        finally:
            server.kill()


async def _measure(port: int) -> list[Row]:
    session, facts = await _session(port)
    published = _note_arrivals(session)
    await _run(session, facts, 2.0, published)
    cpu_s = time.process_time()
    changes, ages_ms = await _run(session, facts, STEADY_S, published)
    share = (time.process_time() - cpu_s) / STEADY_S * 100
    await session.close()
    rate = changes / STEADY_S
    assert rate > 0.9 * VARIABLES * 1000 / PERIOD_MS, f"only {rate:.0f} changes a second came"
    return [
        row("opcua: changes a second that were taken in", rate, "/s"),
        row(f"opcua: CPU of {rate:,.0f} changes a second", share, "% of a core", most=60),
        row(
            "opcua: age of a sample at the rules, p99",
            ages_ms[int(len(ages_ms) * 0.99)],
            "ms",
            most=20,
        ),
    ]


def _note_arrivals(session: OpcUaSession) -> list[float]:
    """Return a list that each publish response adds the moment to at which it came, not yet decoded."""
    times: list[float] = []
    service: Any = session._client.uaclient.session
    original = service._send_request

    async def noted(request: object, *rest: Any, **options: Any) -> object:
        answer = await original(request, *rest, **options)
        if isinstance(request, ua.PublishRequest):
            times.append(time.monotonic())
        return answer

    service._send_request = noted
    return times


async def _run(
    session: OpcUaSession, facts: FactTable, seconds: float, published: list[float]
) -> tuple[int, list[float]]:
    changes, ages_ms, until_s = 0, list[float](), time.monotonic() + seconds
    published.clear()
    while time.monotonic() < until_s:
        batch = await session.read()
        facts.update(batch)
        if published and batch:
            ages_ms.append((time.monotonic() - min(published)) * 1000)
            published.clear()
        changes += len(batch)
    return changes, sorted(ages_ms)


async def _session(port: int) -> tuple[OpcUaSession, FactTable]:
    kind = REGISTRY["opcua"]
    options = {"endpoint": f"opc.tcp://127.0.0.1:{port}/plant", "security": "none", "sampling": 0.1, "timeout": 5.0}
    points = {f"v{n}": kind.point.model_validate({"node": f"nsu=urn:test:load;s=V{n}"}) for n in range(VARIABLES)}
    driver = kind.build("load", kind.device.model_validate(options), points, SystemClock())
    session = await driver.connect()
    assert isinstance(session, OpcUaSession)
    await session.read()
    return session, FactTable(driver.points)
