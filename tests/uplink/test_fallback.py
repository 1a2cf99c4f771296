"""Brokers in order of preference: the next one takes over, and the better one gets it back."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.fakes import until
from tests.servers.process import Server
from tests.servers.subscriber import Subscriber
from tests.uplink.conftest import Gateway, until_empty
from tests.uplink.fake_broker import FakeBroker

pytestmark = pytest.mark.usefixtures("fast_backoff")


def at(*ports: int) -> tuple[str, ...]:
    return tuple(f"mqtt://127.0.0.1:{port}" for port in ports)


@pytest.mark.server
async def test_the_next_broker_takes_over_and_the_first_gets_it_back(tmp_path: Path, brokers: list[Server]) -> None:
    first, second = brokers
    gateway = Gateway(tmp_path, 0, brokers=at(first.port, second.port), prefer_again=1.0)
    with gateway.journal, Subscriber(second.port, client_id="b") as other:
        async with gateway.running() as uplink:
            await until(lambda: uplink.status.online and uplink.status.preferred)
            first.kill()
            await until(lambda: uplink.status.online and not uplink.status.preferred, limit_s=5.0)
            assert dict(uplink.values()) == {"gateway.uplink_online": True, "gateway.uplink_preferred": False}
            gateway.record(*map(str, range(50)))
            await until(lambda: len(other.first_seen()) == 50)
            first.start()
            with Subscriber(first.port, client_id="a") as centre:
                for number in range(50, 150):
                    gateway.record(str(number))
                    await asyncio.sleep(0.02)
                await until(lambda: uplink.status.preferred and uplink.status.online, limit_s=8.0)
                gateway.record("last")
                await until_empty(gateway)
                await until(lambda: any(each["subject"] == "last" for each in centre.first_seen()))
        here = [body["seq"] for body in other.first_seen()]
        there = [body["seq"] for body in centre.first_seen()]
        assert here + there == list(range(1, 152)), "each event went to one broker, in order, and none is missing"
        states = [arrival.body["online"] for arrival in other.arrivals if arrival.topic.endswith("status")]
        assert states == [True, False], "whom we leave is told"


async def test_a_broker_that_takes_us_in_and_answers_nothing_gives_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agent.uplink.flight.ANSWER_LIMIT_S", 0.4)
    async with FakeBroker(lambda _: None) as mute, FakeBroker(lambda _: 0) as sound:
        gateway = Gateway(tmp_path, 0, brokers=at(mute, sound))
        with gateway.journal:
            gateway.record("a")
            async with gateway.running() as uplink:
                await until_empty(gateway, limit_s=5.0)
                assert uplink.status.broker.endswith(str(sound)) and not uplink.status.preferred
