"""Values that cannot be decoded or stored, nodes that come and go: no other point may suffer for them."""

from __future__ import annotations

import asyncio
import struct
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from asyncua import ua
from asyncua.common.utils import Buffer
from asyncua.ua.ua_binary import variant_from_binary

from agent.core.errors import NotConnected
from agent.core.model import Quality, Sample
from drivers.opcua import watch
from drivers.opcua.calls import Calls
from drivers.opcua.options import OpcUaPoint
from drivers.opcua.session import OpcUaSession
from drivers.opcua.values import to_sample
from drivers.scaling import Scaling
from tests.drivers.rigs import Rig, node_opcua, read_until
from tests.drivers.test_opcua_data import NODE, NOW, news, session, until

SERVER = node_opcua
POINTS: dict[str, dict[str, object]] = {
    "twisted": {"node": NODE + "Twisted"},
    "twist": {"node": NODE + "Twist", "writable": True},
    "level": {"node": NODE + "Level"},
}


@pytest.mark.server
async def test_a_value_that_cannot_be_decoded_is_bad_and_comes_alive_when_it_can(
    real: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "RETRY_S", 0.5)
    async with session(real, POINTS) as live:
        await live.write("plc.twist", True)
        seen = {sample.point: sample for sample in await live.read()}
        assert seen["plc.level"].value == 7.0 and seen["plc.twisted"].reason == "BadDecodingError"
        await news(live, 1.5)  # asked again meanwhile, in vain
        await live.write("plc.twist", False)
        await until(live, twisted=3.0)


@pytest.mark.server
async def test_a_value_that_turns_undecodable_is_told_and_never_dropped_without_a_word(real: Rig) -> None:
    async with session(real, POINTS) as live:
        await live.write("plc.twist", False)
        await read_until(live, {"plc.twisted"})
        await live.write("plc.twist", True)
        with pytest.raises(NotConnected, match="cannot be decoded"):
            await news(live, 3.0)
    async with session(real, POINTS) as live:
        seen = {sample.point: sample for sample in await live.read()}
        assert seen["plc.level"].value == 7.0 and seen["plc.twisted"].quality is Quality.BAD
        assert await news(live, 1.5) is not None, "and the new session lives"


@pytest.mark.server
@pytest.mark.parametrize("tells", [True, False])
async def test_a_node_that_was_removed_is_bad_and_comes_back_with_the_value_it_had(
    real: Rig, monkeypatch: pytest.MonkeyPatch, tells: bool
) -> None:
    monkeypatch.setattr(watch, "RETRY_S", 0.5)
    points: dict[str, dict[str, object]] = {
        "late": {"node": NODE + "Late"},
        "grow": {"node": NODE + "Grow", "writable": True},
    }
    async with session(real, points, watchdog=1.0) as live:
        await live.write("plc.grow", True)
        await until(live, late=5.0)
        if not tells:
            subscription, node = live._subscription, live._items.by_id["plc.late"].node
            assert subscription is not None and node is not None
            await live._calls.delete_items(subscription.id, [subscription._items[node]])
        await live.write("plc.grow", False)
        started_s = time.monotonic()
        seen: list[Sample] = []
        while not any(sample.value is None for sample in seen) and time.monotonic() - started_s < 8.0:
            seen = [sample for sample in await live.read() if sample.point == "plc.late"]
        assert seen and seen[-1].quality is Quality.BAD
        await live.write("plc.grow", True)
        await until(live, late=5.0)


async def test_every_missing_node_gets_its_turn_although_the_first_ones_stay_away() -> None:
    asked: list[int] = []

    class Reader:
        async def read(self, nodes: list[ua.NodeId], _: object) -> list[ua.DataValue]:
            return [ua.DataValue() for _ in nodes]

    class Subscription:
        async def add(self, nodes: Iterator[tuple[ua.NodeId, object]]) -> dict[ua.NodeId, ua.StatusCode]:
            refused = {node: ua.StatusCode() for node, _ in nodes}
            asked.extend(int(str(node.Identifier)) for node in refused)
            return refused

    class Clock:
        def now(self) -> object:
            return NOW

    nodes = {ua.NodeId(ua.Int32(n), ua.Int16(2)): () for n in range(120)}
    watcher = watch.Watch(Reader(), Subscription(), nodes, 1.0, Clock())  # type: ignore[arg-type]
    for node in nodes:
        watcher.missing(node)
    for _ in range(3):
        await watcher._retry()
    assert set(asked) == set(range(120))


def sample(data: ua.DataValue) -> Sample:
    return to_sample("p", OpcUaPoint(node="i=1"), Scaling(), data, NOW)


@pytest.mark.parametrize(("encoding", "good"), [("utf-8", True), ("gbk", False)])
def test_text_that_is_not_utf_8_is_bad_for_it_could_not_be_stored(encoding: str, good: bool) -> None:
    octets = "高温".encode(encoding)
    variant = variant_from_binary(Buffer(bytes([12]) + struct.pack("<i", len(octets)) + octets))
    made = sample(ua.DataValue(variant))
    assert (made.quality is Quality.GOOD) is good and made.value == ("高温" if good else None)
    (made.reason or "").encode()
    assert good or "not UTF-8" in str(made.reason)


def test_a_source_time_of_nothing_is_none_and_the_servers_time_stands_for_it() -> None:
    null, now = datetime(1601, 1, 1, tzinfo=UTC), datetime(2026, 3, 1, tzinfo=UTC)
    stamped = ua.DataValue(ua.Variant(1.5), SourceTimestamp=null, ServerTimestamp=now)  # type: ignore[arg-type]
    assert sample(stamped).source_time == now
    assert sample(ua.DataValue(ua.Variant(1.5), SourceTimestamp=null)).source_time is None  # type: ignore[arg-type]


class CancelledWithResult(asyncio.CancelledError):
    """What wait_for2 raises when a cancellation meets a result."""


async def late() -> None:
    try:
        await asyncio.sleep(9)
    except asyncio.CancelledError:
        raise CancelledWithResult from None


async def test_an_answer_that_meets_the_time_limit_is_a_loss_and_no_cancellation() -> None:
    calls = object.__new__(Calls)
    calls.endpoint, calls.timeout_s = "opc.tcp://plc", 0.05
    with pytest.raises(NotConnected, match="no answer"):
        await calls.limited(late())


async def test_a_close_that_meets_its_time_limit_ends_and_closes_the_socket() -> None:
    class Client:
        closed = 0

        async def disconnect(self) -> None:
            await late()

        def disconnect_socket(self) -> None:
            self.closed += 1

    live = object.__new__(OpcUaSession)
    live._client = client = Client()  # type: ignore[assignment]
    await live.close()
    assert client.closed == 1
