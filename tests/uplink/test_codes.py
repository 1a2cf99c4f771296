"""What the broker's answers mean for a row (RELIABILITY R3, R6)."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from agent.core.clock import SystemClock
from agent.links.tls import papers
from agent.uplink.options import UplinkOptions
from tests.fakes import until
from tests.uplink.conftest import Gateway, until_empty
from tests.uplink.fake_broker import FakeBroker

pytestmark = pytest.mark.usefixtures("fast_backoff")


@pytest.mark.parametrize(
    ("code", "words"), [(0x10, "nobody subscribes"), (0x87, "0x87"), (0x97, "0x97"), (0x83, "0x83")]
)
async def test_a_refused_event_stays_and_goes_once_the_broker_takes_it(tmp_path: Path, code: int, words: str) -> None:
    answer = code
    broker = FakeBroker(lambda _: answer)
    async with broker as port:
        gateway = Gateway(tmp_path, port)
        with gateway.journal:
            gateway.record("a")
            async with gateway.running() as uplink:
                await until(lambda: words in uplink.status.reason)
                assert uplink.status.online and uplink.status.nobody_listens is (code == 0x10)
                await asyncio.sleep(0.3)
                assert await gateway.pending() == 1
                answer = 0
                await until_empty(gateway)
                assert uplink.status.reason == "" and not uplink.status.nobody_listens


async def test_a_poisonous_event_goes_to_quarantine_and_blocks_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agent.uplink.flight.POISON_PAUSE_S", 0.05)
    broker = FakeBroker(lambda body: 0x99 if b'"n":"bad"' in body else 0)
    async with broker as port:
        gateway = Gateway(tmp_path, port)
        with gateway.journal:
            gateway.record("bad", "good")
            async with gateway.running():
                await until_empty(gateway)
            events = await gateway.journal.events(10)
            assert [event["type"] for event in events if event["type"] == "anshao.loss.v1"] == ["anshao.loss.v1"]
            assert sum(b'"n":"bad"' in body for body in broker.bodies) == 5


async def test_the_window_obeys_receive_maximum(tmp_path: Path) -> None:
    broker = FakeBroker(lambda _: 0, receive_maximum=3, delay_s=0.2)  # long enough to fill any window
    async with broker as port:
        gateway = Gateway(tmp_path, port, window=10)
        with gateway.journal:
            gateway.record(*map(str, range(12)))
            async with gateway.running():
                await until_empty(gateway)
    assert broker.most_in_flight == 3 and len(broker.bodies) == 12


async def test_a_broker_that_never_answers_is_left_and_nothing_is_taken_as_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agent.uplink.flight.ANSWER_LIMIT_S", 0.5)
    broker = FakeBroker(lambda _: None)
    async with broker as port:
        gateway = Gateway(tmp_path, port)
        with gateway.journal:
            gateway.record("a")
            async with gateway.running() as uplink:
                await until(lambda: "no acknowledgement" in uplink.status.reason, limit_s=5.0)
                await until(lambda: len(broker.bodies) >= 2, limit_s=5.0)
                assert await gateway.pending() == 1


async def test_a_password_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    options = UplinkOptions.model_validate(
        {"brokers": ["mqtt://127.0.0.1:1"], "username": "gw", "password": {"file": tmp_path / "absent"}}
    )
    with pytest.raises(ValueError, match=r"the secret in .*absent cannot be read"):
        papers(options, "mqtt://127.0.0.1:1", SystemClock().now().utc)
