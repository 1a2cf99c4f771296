"""Delivery through a real broker that goes away, comes back and is killed."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from pathlib import Path

import pytest

from agent.core.model import Lane
from tests.fakes import until
from tests.servers.process import Server
from tests.servers.subscriber import Subscriber
from tests.uplink.conftest import Gateway, until_empty

pytestmark = [pytest.mark.server, pytest.mark.usefixtures("fast_backoff")]


def assert_in_order(centre: Subscriber) -> None:
    """Nothing is missing, and each lane arrived in order."""
    lanes = defaultdict(list)
    for body in centre.first_seen():
        lanes[body["lane"]].append(body["seq"])
    assert {lane: seqs for lane, seqs in lanes.items() if seqs != list(range(1, len(seqs) + 1))} == {}


async def test_events_arrive_in_order_and_alarms_overtake(tmp_path: Path, broker: Server) -> None:
    gateway = Gateway(tmp_path, broker.port, replay_rate=100)
    with Subscriber(broker.port) as centre, gateway.journal:
        gateway.record(*map(str, range(150)), lane=Lane.TELEMETRY)
        gateway.record("urgent", lane=Lane.ALARM)
        await asyncio.sleep(0.2)
        async with gateway.running():
            await until_empty(gateway)
            await until(lambda: len(centre.first_seen()) == 151)
        assert centre.first_seen()[0]["subject"] == "urgent"
        assert_in_order(centre)
        assert centre.events()[0].topic == "plant/works/gw/evt/alarm"


async def test_status_is_retained_and_the_will_says_offline(tmp_path: Path, broker: Server) -> None:
    gateway = Gateway(tmp_path, broker.port)
    with gateway.journal:
        async with gateway.running() as uplink:
            await until(lambda: uplink.status.online)
            await asyncio.sleep(0.2)
            with Subscriber(broker.port, "plant/+/+/status", "late") as late:
                await until(lambda: late.arrivals != [])
                assert late.arrivals[0].body["online"] is True and late.arrivals[0].retained
        with Subscriber(broker.port, "plant/+/+/status", "later") as later:
            await until(lambda: later.arrivals != [])
            assert later.arrivals[0].body["online"] is False


async def test_a_broker_away_delays_and_loses_nothing(tmp_path: Path, broker: Server) -> None:
    gateway = Gateway(tmp_path, broker.port)
    with Subscriber(broker.port) as centre, gateway.journal:
        async with gateway.running() as uplink:
            await until(lambda: uplink.status.online)
            gateway.record("before")
            await until(lambda: len(centre.first_seen()) == 1 and uplink.status.sent == 1)
            broker.kill()
            await until(lambda: not uplink.status.online)
            gateway.record(*map(str, range(200)))
            await asyncio.sleep(0.3)
            broker.start()
            await until_empty(gateway)
            await until(lambda: len(centre.first_seen()) == 201, limit_s=10.0)
    assert_in_order(centre)
    replayed = {arrival.body["subject"]: arrival.user["replayed"] for arrival in centre.events()}
    assert replayed["before"] == "false" and {replayed[str(number)] for number in range(200)} == {"true"}


@pytest.mark.slow
async def test_a_broker_that_is_killed_again_and_again_loses_nothing(tmp_path: Path, broker: Server) -> None:
    gateway, sent = Gateway(tmp_path, broker.port), 0
    with Subscriber(broker.port) as centre, gateway.journal:
        async with gateway.running():
            for _ in range(5):
                for _ in range(40):
                    gateway.record(str(sent))
                    sent += 1
                    await asyncio.sleep(0.005)
                await asyncio.sleep(1.2)  # the broker saves once a second; docs/events.md says why that matters
                broker.kill()
                broker.start()
            await until_empty(gateway)
            await until(lambda: len(centre.first_seen()) == sent, limit_s=15.0)
    assert {body["subject"] for body in centre.first_seen()} == {str(number) for number in range(sent)}
