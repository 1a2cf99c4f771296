"""Whole agents at real brokers, judged by every statement of the specification about an edge node."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path

import pytest

from agent.core.clock import SystemClock
from agent.core.model import Quality, Sample
from agent.sparkplug import node
from tests.servers.mosquitto import mosquitto
from tests.sparkplug.codec import Codec
from tests.sparkplug.evidence import Evidence, Run
from tests.sparkplug.judge import IDS, VERDICTS, table
from tests.sparkplug.rig import Host, running, says, until
from tests.sparkplug.tap import Tap

PAGE = Path(__file__).parents[2] / "docs" / "sparkplug-conformance.md"
pytestmark = [pytest.mark.server, pytest.mark.slow]


@asynccontextmanager
async def plant(folder: Path) -> AsyncIterator[tuple[Tap, Host]]:
    """A broker with a wire in front of it, and a host at it."""
    folder.mkdir()
    broker = mosquitto(folder)
    broker.start()
    try:
        async with Tap(broker.port).open() as tap:
            with Host(broker.port) as host:
                yield tap, host
    finally:
        broker.kill()


def mark(run: Run, name: str) -> None:
    run.marks[name] = time.monotonic()


async def ordinary(folder: Path, codec: Codec) -> Run:
    """Much changes, a device is lost, a host asks for births and commands, the wire is cut, the agent starts again."""
    run = Run("ordinary")
    async with plant(folder) as (tap, host):
        async with running(folder / "site", [tap.port]) as agent:
            await until(lambda: len(host.heard("DBIRTH")) >= 2)
            says(agent, "pump.flow", *(float(number) for number in range(300)))
            now = SystemClock().now()
            agent.pipeline.ingest([Sample("pump.flow", 3.5, Quality.UNCERTAIN, now.utc, now.mono_s)])
            says(agent, "pump.flow", None, 2.5)
            await until(lambda: len(host.heard("DDATA")) >= 303)
            mark(run, "rebirth asked")
            rebirth = {"name": "Node Control/Rebirth", "type": "Boolean", "value": True}
            births = len(host.heard("DBIRTH", "fan"))
            host.send("spBv1.0/works/NCMD/hall-3", codec.encode({"timestamp": now_ms(), "metrics": [rebirth]}))
            says(agent, "pump.flow", 2.0)
            await until(lambda: len(host.heard("DBIRTH", "fan")) > births)
            mark(run, "fan lost")
            says(agent, "fan.online", False)
            await until(lambda: host.heard("DDEATH", "fan"))
            births = len(host.heard("DBIRTH", "fan"))
            says(agent, "fan.online", True)
            await until(lambda: len(host.heard("DBIRTH", "fan")) > births)
            births = len(host.heard("NBIRTH"))
            tap.cut()
            await until(lambda: host.heard("NDEATH"))
            says(agent, "pump.flow", 7.25, 7.5)
            await until(lambda: len(host.heard("NBIRTH")) > births)
            await asyncio.sleep(0.5)
        async with running(folder / "site", [tap.port]):
            births = len(host.heard("NBIRTH"))
            await until(lambda: len(host.heard("NBIRTH")) > births)
        run.gather([tap], codec)
    return run


async def quiet(folder: Path, codec: Codec) -> Run:
    """MQTT 3.1.1, and nobody asks for anything."""
    run = Run("quiet")
    async with plant(folder) as (tap, host):
        async with running(folder / "site", [tap.port], "version: 3.1.1") as agent:
            await until(lambda: len(host.heard("DBIRTH")) >= 2)
            says(agent, "pump.flow", 2.5, 2.5, 3.0, 3.0)
            says(agent, "gateway.autonomy_h", 5.0)
            await until(lambda: host.heard("DDATA", "pump") and host.heard("NDATA"))
        run.gather([tap], codec)
    return run


async def two_brokers(folder: Path, codec: Codec) -> Run:
    """The primary host comes at one broker, goes, and comes at the other."""
    run = Run("two brokers")
    folder.mkdir()
    async with AsyncExitStack() as stack:
        places = [await stack.enter_async_context(plant(folder / name)) for name in ("first", "second")]
        (tap, host), (other_tap, other_host) = places
        host.state(True, 1000, "another")
        async with running(folder / "site", [tap.port, other_tap.port], "primary_host: scada"):
            await until(lambda: any(packet.topics for packet in tap.packets))
            await asyncio.sleep(0.6)
            mark(run, "host online")
            host.state(True, 5000)
            await until(lambda: host.heard("NBIRTH"))
            mark(run, "older offline")
            host.state(False, 4000)
            await asyncio.sleep(0.6)
            mark(run, "host offline")
            host.state(False, 5000)
            await until(lambda: any(packet.topics for packet in other_tap.packets))
            other_host.state(True, 100)
            await until(lambda: other_host.heard("NBIRTH"))
        run.gather([tap, other_tap], codec)
    return run


async def one_broker(folder: Path, codec: Codec) -> Run:
    """The primary host is offline at first, and an older word of it comes late."""
    run = Run("one broker")
    async with plant(folder) as (tap, host):
        host.state(False, 9000)
        async with running(folder / "site", [tap.port], "primary_host: scada"):
            await until(lambda: any(packet.topics for packet in tap.packets))
            host.state(True, 8000)
            await asyncio.sleep(0.6)
            mark(run, "host online")
            host.state(True, 9000)
            await until(lambda: host.heard("NBIRTH"))
        run.gather([tap], codec)
    return run


def empty() -> Evidence:
    marks = dict.fromkeys(("rebirth asked", "fan lost", "host online", "older offline", "host offline"), 0.0)
    return Evidence([Run(name, marks=marks) for name in ("ordinary", "quiet", "two brokers", "one broker")])


def test_nothing_seen_proves_nothing() -> None:
    for id_, verdict in VERDICTS.items():
        with suppress(StopIteration, IndexError):
            assert isinstance(verdict, str) or not verdict(empty()), id_


def now_ms() -> int:
    return int(time.time() * 1000)


async def test_every_statement_about_an_edge_node_holds_and_the_page_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rewrite the page with WRITE_PAGES=1."""
    monkeypatch.setattr(node, "MOST_METRICS", 1)  # so that 256 messages come soon
    assert set(VERDICTS) == set(IDS), "each id of the specification is judged, and no other"
    with Codec() as codec:
        lives = [life(tmp_path / life.__name__, codec) for life in (ordinary, quiet, two_brokers, one_broker)]
        found = table(Evidence(list(await asyncio.gather(*lives))))
    if os.environ.get("WRITE_PAGES"):
        PAGE.write_text(found, encoding="utf-8")
    failed = [line for line in found.splitlines() if "| FAIL |" in line]
    assert failed == []
    assert PAGE.read_text(encoding="utf-8") == found, "docs/sparkplug-conformance.md is not current: WRITE_PAGES=1"
