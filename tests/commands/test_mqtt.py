"""The real agent, a real broker: a command goes down, its answer and its event come up."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from agent.app.plan import load_plan
from agent.app.rulesets.store import RuleStore
from agent.app.wiring import Agent
from tests.fakes import until
from tests.servers.process import Server
from tests.servers.subscriber import Subscriber

pytestmark = pytest.mark.server
SITE = """
gateway: {{id: gw, site: works}}
rules: [rules.yaml]
devices:
  plant: {{protocol: simulated, poll: 100ms, points: {{gas: {{value: 50}}, fire: {{value: 50}}}}}}
uplink:
  brokers: [mqtt://127.0.0.1:{port}]
  commands:
    roles: {{dispatcher: {{may: [acknowledge, silence, revision, hazard, offer]}}}}
    answers: [centre/answers]
"""
RULES = """rules:
  - {id: gas, kind: level, input: plant.gas, name: Gas, limits: {H: {at: 40, priority: P3}}}
  - {id: fire, kind: level, input: plant.fire, name: Fire, limits: {H: {at: 40, priority: P1}}}
"""


class Centre(Subscriber):
    """Also asks, and waits for the answer."""

    async def ask(self, body: dict[str, Any], answers: str) -> dict[str, Any]:
        """Return the answer that bears our correlation data, with the topic that it came on."""
        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
        properties.ResponseTopic, properties.CorrelationData = answers, body["id"].encode()
        before = len(self.arrivals)
        self._client.publish("plant/works/gw/cmd", json.dumps(body), qos=1, properties=properties)
        await until(lambda: any("answer" in each.topic for each in self.arrivals[before:]), limit_s=5.0)
        found = next(each for each in self.arrivals[before:] if "answer" in each.topic)
        return {**found.body, "topic": found.topic, "correlation": found.correlation}

    def _on_connect(self, client: mqtt.Client, *_: Any) -> None:
        client.subscribe([("plant/#", 1), ("centre/#", 1)])


@asynccontextmanager
async def running(folder: Path, broker: Server) -> AsyncIterator[tuple[Agent, Centre]]:
    (folder / "site.yaml").write_text(SITE.format(port=broker.port))
    (folder / "rules.yaml").write_text(RULES)
    agent = Agent(load_plan(folder / "site.yaml"), folder, folder / "s.sock", RuleStore(folder / "rules"))
    stop = asyncio.Event()
    task = asyncio.create_task(agent.run(stop))
    try:
        with Centre(broker.port) as centre:
            await until(lambda: agent.uplink is not None and agent.uplink.status.online, limit_s=10.0)
            yield agent, centre
    finally:
        stop.set()
        await task


def command(name: str, /, **arguments: Any) -> dict[str, Any]:
    expires = (datetime.now(UTC) + timedelta(seconds=60)).isoformat()
    told = {"id": str(uuid.uuid4()), "gateway": "gw", "command": name, "nonce": uuid.uuid4().hex, "expires": expires}
    return {**told, "role": "dispatcher", "operator": "Li Wei", "note": "seen", "arguments": arguments}


async def test_a_command_is_done_answered_and_told(tmp_path: Path, broker: Server) -> None:
    async with running(tmp_path, broker) as (agent, centre):
        await until(
            lambda: agent.pipeline.engine.alarms["gas.H"].active and agent.pipeline.engine.alarms["fire.H"].active
        )
        asked = command("acknowledge", alarm="gas.H")
        told = await centre.ask(asked, "centre/answers/7")
        assert (told["result"], told["answer"]) == ("done", {"acknowledged": True})
        assert (told["topic"], told["correlation"]) == ("centre/answers/7", asked["id"].encode())
        assert agent.pipeline.engine.alarms["gas.H"].acknowledged_by == "Li Wei"

        told = await centre.ask(command("silence", alarm="fire.H"), "plant/works/gw/evt/alarm")
        assert told["result"] == "refused" and "on site only" in told["reason"]
        assert told["topic"] == "plant/works/gw/answer", "nobody makes the gateway write where it should not"
        assert not agent.pipeline.engine.alarms["fire.H"].silenced

        occurrence = agent.pipeline.engine.alarms["gas.H"].occurrence
        asked_hazard = command("hazard", alarm="gas.H", occurrence=occurrence, hazard="YH-31", status="assigned")
        assert (await centre.ask(asked_hazard, "centre/answers/7"))["answer"] == {"recurs": False}
        assert [row["hazard"] and row["hazard"]["by"] for row in agent.gateway.alarms(False)] == [None, "Li Wei"]
        offered = command("offer", camera="gate", name="ppe", version="1.0.1", sha256="5" * 64)
        told = await centre.ask(offered, "centre/answers/7")
        assert told["result"] == "refused" and "this site takes no offers" in told["reason"]

        await until(lambda: len([body for body in centre.first_seen() if body["type"] == "anshao.command.v1"]) == 4)
        again = await centre.ask(asked, "centre/answers/7")
        assert again["answer"] == {"acknowledged": True}
        await agent.journal.settled()
        events = await agent.journal.events(1000)
        acknowledged = [each for each in events if each["data"].get("action") == "acknowledged"]
        assert len(acknowledged) == 1 and acknowledged[0]["data"]["operator"]["via"] == "mqtt"
