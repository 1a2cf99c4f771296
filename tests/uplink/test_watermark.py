"""A centre that says what it has, and asks for what its broker forgot."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path

import paho.mqtt.publish as publish
import pytest
from paho.mqtt.enums import MQTTProtocolVersion

from agent.core.clock import SystemClock
from agent.core.model import Lane
from agent.journal import Journal
from tests.fakes import until
from tests.servers.process import Server
from tests.servers.subscriber import Subscriber
from tests.uplink.conftest import WHO, Gateway, until_empty

pytestmark = [pytest.mark.server, pytest.mark.usefixtures("fast_backoff")]
ACK = "plant/works/gw/ack"


def confirming(folder: Path, port: int, **options: object) -> Gateway:
    gateway = Gateway(folder, port, watermark=True, **options)
    gateway.journal = Journal(folder / "journal.db", WHO, SystemClock(), confirms=True)
    return gateway


async def say(port: int, retain: bool = False, **fields: object) -> None:
    body = json.dumps(fields)
    version = MQTTProtocolVersion.MQTTv5
    await asyncio.to_thread(publish.single, ACK, body, 1, retain, "127.0.0.1", port, protocol=version)


async def test_what_a_broker_forgot_is_sent_again_and_a_live_alarm_does_not_wait(
    tmp_path: Path, broker: Server
) -> None:
    gateway = confirming(tmp_path, broker.port, replay_rate=100)
    with gateway.journal:
        async with gateway.running() as uplink:
            with Subscriber(broker.port, client_id="first"):
                gateway.record(*map(str, range(150)))
                await until_empty(gateway)
            with Subscriber(broker.port, client_id="second") as centre:  # it begins anew, and lacks everything
                await say(broker.port, acked_through={"alarm": 20}, replay_from={"alarm": 21})
                await until(lambda: len(centre.first_seen()) > 20)
                begun_s = time.monotonic()
                gateway.record("live")
                await until(lambda: any(body["subject"] == "live" for body in centre.first_seen()))
                assert time.monotonic() - begun_s < 1.0 and len(centre.first_seen()) < 131
                await until(lambda: len({b["seq"] for b in centre.first_seen() if b["lane"] == "alarm"}) == 131, 8.0)
                replayed = {arrival.body["subject"]: arrival.user["replayed"] for arrival in centre.events()}
                assert replayed["live"] == "false" and replayed["20"] == replayed["149"] == "true"
                told = [body["data"] for body in centre.first_seen() if body["type"] == "anshao.gateway.state.v1"]
                assert [(each["action"], each["asked_from"], each["count"]) for each in told] == [("replay", 21, 130)]
            await until(lambda: gateway.journal.stats.unconfirmed > 0)
            assert dict(uplink.values())["gateway.unconfirmed"] == gateway.journal.stats.unconfirmed


async def test_a_retained_watermark_is_heard_by_who_comes_later(tmp_path: Path, broker: Server) -> None:
    gateway = confirming(tmp_path, broker.port)
    with gateway.journal, Subscriber(broker.port) as centre:
        gateway.record("a", "b", "c", lane=Lane.STATE)
        await gateway.journal.settled()
        await say(broker.port, retain=True, acked_through={"state": 2}, replay_from={"state": 1})
        async with gateway.running():
            await until(lambda: len(centre.first_seen()) == 3)
            await until(lambda: gateway.journal.stats.unconfirmed == 1, limit_s=5.0)
            await asyncio.sleep(0.3)
        assert len(centre.events()) == 3, "a retained wish for a replay would come true at each connection"


async def test_nonsense_changes_nothing_and_stops_nothing(
    tmp_path: Path, broker: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    gateway = confirming(tmp_path, broker.port)
    with gateway.journal, Subscriber(broker.port) as centre:
        async with gateway.running() as uplink:
            await until(lambda: uplink.status.online)
            await say(broker.port, acked_through={"alram": 2})
            await say(broker.port, acked_through={"alarm": 2})
            gateway.record("a")
            await until(lambda: len(centre.first_seen()) == 1)
            await until(lambda: "was never given here" in capsys.readouterr().out)
