"""One agent at one broker: what a host asks reaches the plant and the journal, and what it missed reaches the host."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from agent.app.wiring import Agent
from agent.core.clock import SystemClock
from agent.sparkplug.bdseq import Connections
from agent.sparkplug.sparkplug_b_pb2 import Payload
from tests.drivers.test_modbus_lines import certificate
from tests.servers.process import Server, free_port
from tests.sparkplug.rig import Host, events, running, says, until

__all__ = ["certificate"]
pytestmark = pytest.mark.server
DCMD = "spBv1.0/works/DCMD/hall-3/pump"


def asks(name: str, value: Any, age_s: float = 0.0) -> bytes:
    payload = Payload(timestamp=int((time.time() - age_s) * 1000))
    metric = payload.metrics.add(name=name)
    setattr(metric, "boolean_value" if isinstance(value, bool) else "long_value", value)
    body: bytes = payload.SerializeToString()
    return body


def metrics(host: Host, verb: str, device: str = "") -> list[Payload.Metric]:
    arrivals = host.heard(verb, device)
    return [metric for arrival in arrivals for metric in Payload.FromString(arrival.body).metrics]


def value_of(agent: Agent, point: str) -> object:
    sample = agent.pipeline.facts.get(point, SystemClock().now().mono_s)
    return sample.value if sample is not None else None


async def test_a_host_writes_what_is_listed_and_nothing_else(tmp_path: Path, broker: Server) -> None:
    with Host(broker.port) as host:
        host.send(DCMD, asks("speed", 77), retain=True)
        async with running(tmp_path / "site", [broker.port]) as agent:
            await until(lambda: len(host.heard("DBIRTH")) >= 2)
            host.send(DCMD, asks("siren", True))
            host.send(DCMD, asks("speed", 55))
            await until(lambda: any(metric.long_value == 55 for metric in metrics(host, "DDATA", "pump")))
            assert value_of(agent, "pump.speed") == 55 and value_of(agent, "pump.siren") is False
            told = [event for event in events(agent, "operator.action") if event["action"] == "write-point"]
            assert [event["result"] for event in told if event["point"] == "pump.speed"][-2:] == ["ordered", "done"]
            assert any(event["result"] == "refused" for event in told), "the retained one came first"
            assert all(event["operator"]["via"] == "sparkplug" for event in told)
        assert not any(event.get("value") == 77 for event in told if event["result"] != "refused")
    assert events(agent, "loss") == [], "what was told before an orderly end has arrived"


async def test_what_changed_while_the_broker_was_dead_is_told_afterwards_and_what_had_to_go_is_a_loss(
    tmp_path: Path, broker: Server
) -> None:
    async with running(tmp_path / "site", [broker.port], "history: 5") as agent:
        assert agent.edge is not None
        edge = agent.edge
        await until(lambda: edge.status.online)
        broker.kill()
        await until(lambda: not edge.status.online)
        says(agent, "pump.flow", *(float(number) for number in range(20)))
        broker.start()
        with Host(broker.port) as host:
            await until(lambda: any(metric.is_historical for metric in metrics(host, "DDATA", "pump")))
            await until(lambda: edge.status.kept == 0)
            flow = [metric.double_value for metric in metrics(host, "DDATA", "pump") if metric.is_historical]
            assert flow[-1] == 19.0 and flow == sorted(flow)
            await until(lambda: events(agent, "loss"))
    losses = events(agent, "loss")
    assert all(loss["scope"] == "sparkplug" and loss["first_at"] <= loss["last_at"] for loss in losses)
    assert sum(loss["count"] for loss in losses) >= 15


async def test_a_broker_that_is_away_or_refuses_stops_neither_the_agent_nor_its_end(tmp_path: Path) -> None:
    async with running(tmp_path / "site", [free_port()]) as agent:
        assert agent.edge is not None
        edge = agent.edge
        await until(lambda: "refused" in edge.status.reason)
        says(agent, "pump.flow", 3.0)
        await until(lambda: edge.status.kept > 0)
        assert value_of(agent, "gateway.sparkplug_online") is False
        status = agent.gateway.status()["sparkplug"]
        assert status is not None and status["state"] == "offline" and "refused" in status["reason"]
    assert events(agent, "loss") == [], "it is kept for the next start"


async def test_what_nobody_could_be_told_before_a_restart_is_told_after_it(tmp_path: Path, broker: Server) -> None:
    async with running(tmp_path / "site", [free_port()]) as agent:
        assert agent.edge is not None
        edge = agent.edge
        await until(lambda: edge.status.reason)
        says(agent, "pump.flow", 31.5, 32.5, None, 33.5)  # and it stops before anybody looked at them
    with Host(broker.port) as host:
        async with running(tmp_path / "site", [broker.port]) as again:
            await until(lambda: again.edge is not None and again.edge.status.online and again.edge.status.kept == 0)
            await until(lambda: any(metric.is_historical for metric in metrics(host, "DDATA", "pump")))
            await until(lambda: not (tmp_path / "site" / "state" / "sparkplug.history").exists(), what="all is told")
        told = [metric for metric in metrics(host, "DDATA", "pump") if metric.is_historical]
    flow = [None if metric.is_null else metric.double_value for metric in told]
    assert [value for value in flow if value is None or value > 30] == [31.5, 32.5, None, 33.5]
    assert [metric.timestamp for metric in told] == sorted(metric.timestamp for metric in told)
    assert events(again, "loss") == []


async def test_a_key_that_everybody_can_read_is_not_used(tmp_path: Path, certificate: tuple[Path, Path]) -> None:
    cert, key = certificate
    key.chmod(0o644)
    own = f"ca_file: {cert}, certificate: {cert}, key: {key}".replace(", ", "\n  ")
    async with running(tmp_path / "site", [f"mqtts://127.0.0.1:{free_port()}"], own) as agent:
        status = agent.gateway.status
        await until(
            lambda: (row := status()["sparkplug"]) is not None and "everybody can read the key" in row["reason"]
        )


def test_the_number_of_the_connection_goes_on_over_restarts_and_over_a_damaged_file(tmp_path: Path) -> None:
    path = tmp_path / "state" / "sparkplug.bdseq"
    first = Connections(path)
    assert [first.next(), first.next()] == [0, 0], "an attempt that sent no CONNECT has used no number"
    first.used(0)
    assert first.next() == 1
    assert Connections(path).next() == 2
    path.write_text("255")
    assert Connections(path).next() == 0
    path.write_text("\x00")
    assert Connections(path).next() == 0
    path.unlink()
    path.mkdir()
    assert Connections(path).next() == 0, "a disk that fails stops nothing"


COMMANDS = """commands: true
uplink:
  brokers: [mqtt://127.0.0.1:{port}]
  commands: {{roles: {{dispatcher: {{may: [revision]}}}}}}
"""


async def test_a_command_from_above_comes_as_ncmd_to_the_same_desk(tmp_path: Path, broker: Server) -> None:
    def command(id_: str, **more: Any) -> bytes:
        expires = (datetime.now(UTC) + timedelta(seconds=60)).isoformat()
        told = {"id": id_, "gateway": "hall-3", "command": "revision", "role": "dispatcher", "operator": "Li Wei"}
        payload = Payload(timestamp=int(time.time() * 1000))
        text = json.dumps({**told, "nonce": f"nonce-of-{id_}", "expires": expires, **more})
        payload.metrics.add(name="gateway/command", string_value=text)
        body: bytes = payload.SerializeToString()
        return body

    with Host(broker.port) as host:
        more = COMMANDS.format(port=broker.port)
        async with running(tmp_path / "site", [broker.port], more) as agent:
            await until(lambda: host.heard("NBIRTH"))
            born = {metric.name: metric for metric in metrics(host, "NBIRTH")}
            answers = born["gateway/command_answer"].alias
            assert born["gateway/command"].datatype == 12 and born["gateway/command"].string_value == ""

            def answered(count: int) -> list[dict[str, Any]]:
                told = [
                    each.string_value for each in metrics(host, "NDATA") if each.alias == answers and each.string_value
                ]
                return [json.loads(each) for each in told] if len(told) >= count else []

            host.send("spBv1.0/works/NCMD/hall-3", command("1"))
            await until(lambda: answered(1))
            host.send("spBv1.0/works/NCMD/hall-3", command("2", role="boss"))
            await until(lambda: answered(2))
            host.send("spBv1.0/works/NCMD/hall-3", command("3", nonce="nonce-of-1"))
            await until(lambda: answered(3))
            assert [(each["id"], each["result"]) for each in answered(3)] == [
                *(("1", "done"), ("2", "refused"), ("3", "refused"))
            ]
            host.send("spBv1.0/works/NCMD/hall-3", asks("gateway/command_answer", 7))
            await until(lambda: any("cannot be written" in each["reason"] for each in events(agent, "operator.action")))
            told = events(agent, "command")
            assert told[0]["operator"]["via"] == "sparkplug" and told[1]["via"] == "sparkplug"
