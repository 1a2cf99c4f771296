"""A whole agent with an edge node, a broker that we did not write, and a host that asks and listens."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from agent.app.plan import load_plan
from agent.app.rulesets.store import RuleStore
from agent.app.wiring import Agent
from agent.core.clock import SystemClock
from agent.core.model import Sample, Value

SITE = """
gateway: {{id: hall-3, site: works, state: state, socket: run/anshao.sock}}
devices:
  pump:
    protocol: simulated
    poll: 60s
    points:
      flow: {{value: 1.5, unit: l/min, description: of the cooling water}}
      speed: {{value: 40, writable: true}}
      valve: {{value: false, writable: true}}
      name: {{value: P-101}}
      siren: {{value: false, writable: true}}
  fan: {{protocol: simulated, poll: 60s, points: {{rpm: {{value: 900}}}}}}
outputs:
  siren: {{kind: siren, point: pump.siren}}
sparkplug:
  brokers: {brokers}
  writable: [pump.speed]
  period: 100ms
  {more}
"""


@dataclass(frozen=True)
class Arrival:
    """One message at the host."""

    topic: str
    body: bytes
    retained: bool

    @property
    def verb(self) -> str:
        return self.topic.split("/")[2]


class Host:
    """A host application, as far as an edge node knows of one. Use as a context manager."""

    def __init__(self, port: int, id_: str = "scada") -> None:
        self.arrivals: list[Arrival] = []
        self._id, self._port = id_, port
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=f"host-{id_}", protocol=mqtt.MQTTv5)
        self._client.on_message = self._on_message
        self._subscribed = False
        self._client.on_subscribe = lambda *_: setattr(self, "_subscribed", True)

    def __enter__(self) -> Host:
        self._client.connect("127.0.0.1", self._port)
        self._client.subscribe("spBv1.0/#", qos=1)
        self._client.loop_start()
        deadline_s = time.monotonic() + 5.0
        while not self._subscribed:
            assert time.monotonic() < deadline_s, "the host could not subscribe"
            time.sleep(0.01)
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def state(self, online: bool, stamp_ms: int, id_: str = "") -> None:
        body = json.dumps({"online": online, "timestamp": stamp_ms})
        self._client.publish(f"spBv1.0/STATE/{id_ or self._id}", body, qos=1, retain=True).wait_for_publish(5.0)

    def send(self, topic: str, body: bytes, retain: bool = False) -> None:
        self._client.publish(topic, body, qos=0, retain=retain).wait_for_publish(5.0)

    def heard(self, verb: str, device: str = "") -> list[Arrival]:
        return [
            each
            for each in list(self.arrivals)
            if each.verb == verb and (not device or each.topic.endswith(f"/{device}"))
        ]

    def _on_message(self, _client: mqtt.Client, _data: Any, message: mqtt.MQTTMessage) -> None:
        self.arrivals.append(Arrival(message.topic, bytes(message.payload), message.retain))


@asynccontextmanager
async def running(folder: Path, ports: Sequence[int | str], more: str = "") -> AsyncIterator[Agent]:
    """Run an agent whose edge node knows these brokers, by address or by port on loopback."""
    folder.mkdir(exist_ok=True)
    brokers = json.dumps([port if isinstance(port, str) else f"mqtt://127.0.0.1:{port}" for port in ports])
    (folder / "site.yaml").write_text(SITE.format(brokers=brokers, more=more), encoding="utf-8")
    plan = load_plan(folder / "site.yaml")
    agent = Agent(plan, folder / "state", folder / "run" / "anshao.sock", RuleStore(folder / "state" / "rules"))
    stop = asyncio.Event()
    task = asyncio.create_task(agent.run(stop))
    try:
        yield agent
    finally:
        stop.set()
        await task


def says(agent: Agent, point: str, *values: Value) -> None:
    """Let a device say these values one after the other; None: it cannot be read."""
    for value in values:
        now = SystemClock().now()
        sample = Sample.good(point, value, now) if value is not None else Sample.bad(point, "no answer", now)
        agent.pipeline.ingest([sample])


async def until(condition: Callable[[], object], limit_s: float = 10.0, what: str = "") -> None:
    try:
        async with asyncio.timeout(limit_s):
            while not condition():
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise AssertionError(what or "it did not come to that") from None


def events(agent: Agent, kind: str) -> list[dict[str, Any]]:
    """Return the data of what was journalled, with this kind of event."""
    import sqlite3  # read beside the agent, as an auditor would

    with sqlite3.connect(f"file:{agent.journal.path}?mode=ro", uri=True) as db:
        bodies = [json.loads(body) for (body,) in db.execute("SELECT body FROM event ORDER BY seq")]
    return [body["data"] for body in bodies if body["type"] == f"anshao.{kind}.v1"]
