"""Every way to a broker, as the uplink has them, and brokers in order of preference."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from agent.sparkplug.scout import Scout
from tests.drivers.test_mqtt_tls import await_listener
from tests.servers.certificates import Authority
from tests.servers.mosquitto import mosquitto
from tests.servers.process import Server, free_port
from tests.sparkplug.rig import Host, running, says, until


@pytest.mark.server
async def test_births_and_death_arrive_in_every_way(tmp_path: Path) -> None:
    (tmp_path / "broker").mkdir()
    ours = Authority(tmp_path)
    there, here = ours.issue("broker"), ours.issue("gw")
    files = (f"cafile {ours.certificate}", f"certfile {there.certificate}", f"keyfile {there.key}")
    tls = (*files, "require_certificate true")
    mqtts, wss, ws = free_port(), free_port(), free_port()
    lines = [f"listener {mqtts} 127.0.0.1", *tls, f"listener {wss} 127.0.0.1", "protocol websockets", *tls]
    server = mosquitto(tmp_path / "broker", *lines, f"listener {ws} 127.0.0.1", "protocol websockets")
    server.start()
    own = f"ca_file: {ours.certificate}\n  certificate: {here.certificate}\n  key: {here.key}"
    ways = {f"mqtts://127.0.0.1:{mqtts}": own, f"wss://127.0.0.1:{wss}": own, f"ws://127.0.0.1:{ws}": "version: 3.1.1"}
    try:
        for number, (broker, more) in enumerate(ways.items()):
            await_listener((mqtts, wss, ws)[number])
            with Host(server.port) as host:
                async with running(tmp_path / f"site-{number}", [broker], more):
                    await until(lambda host=host: len(host.heard("DBIRTH")) >= 2, what=broker)  # type: ignore[misc]
                await until(lambda host=host: host.heard("NDEATH"), what=broker)  # type: ignore[misc]
        async with running(tmp_path / "bare", [f"mqtts://127.0.0.1:{mqtts}"], f"ca_file: {ours.certificate}") as agent:
            assert agent.edge is not None
            edge = agent.edge
            await until(lambda: "certificate" in edge.status.reason)  # that ours is asked for comes after the handshake
    finally:
        server.kill()


@pytest.mark.server
async def test_the_next_broker_takes_over_and_the_first_gets_it_back(tmp_path: Path, brokers: list[Server]) -> None:
    first, second = brokers
    with Host(second.port) as other:
        async with running(tmp_path / "site", [first.port, second.port], "prefer_again: 1s") as agent:
            assert agent.edge is not None
            edge = agent.edge
            await until(lambda: edge.status.online)
            first.kill()
            await until(lambda: other.heard("NBIRTH"))
            first.start()
            with Host(first.port) as host:
                await until(lambda: len(host.heard("DBIRTH")) >= 2)
                assert other.heard("NDEATH"), "it leaves before it goes: a node is at one broker at a time"
                says(agent, "pump.flow", 7.5)
                await until(lambda: host.heard("DDATA", "pump"))
                assert edge.status.broker.endswith(str(first.port)) and edge.status.online


@pytest.mark.server
async def test_where_the_primary_host_is_no_other_broker_is_better(tmp_path: Path, brokers: list[Server]) -> None:
    first, second = brokers
    with Host(first.port) as absent, Host(second.port) as host:
        absent.state(False, 1000)
        host.state(True, 1000)
        more = "primary_host: scada\n  prefer_again: 1s"
        async with running(tmp_path / "site", [first.port, second.port], more) as agent:
            await until(lambda: host.heard("NBIRTH"))
            await asyncio.sleep(2.2)
            assert agent.edge is not None and agent.edge.status.online
            assert len(host.heard("NBIRTH")) == 1 and not host.heard("NDEATH")


async def test_a_better_broker_that_was_left_for_in_vain_is_tried_ever_more_seldom() -> None:
    visits: list[float] = []
    loop = asyncio.get_running_loop()
    there = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    better, absent, used = (
        f"mqtt://127.0.0.1:{port}" for port in (there.sockets[0].getsockname()[1], free_port(), free_port())
    )
    scout = Scout((absent, better, used), 0.02, 1.0)
    async with there:
        for _ in range(4):
            begun_s = loop.time()
            assert await scout.look_out(used) == better
            visits.append(loop.time() - begun_s)
        assert visits[1] >= 0.04 and visits[2] >= 0.08 and visits[3] >= 0.16
        scout.found_good(better)
        begun_s = loop.time()
        assert await scout.look_out(used) == better
        assert loop.time() - begun_s < visits[3]
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await scout.look_out(absent)
