"""Arrays, structures, paths, filters, conditions, single items that fall silent: against node-opcua."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from asyncua import ua
from asyncua.client.ua_session import UaSession
from asyncua.ua.status_codes import StatusCodes
from asyncua.ua.uaerrors import UaStatusCodeError
from hypothesis import given
from hypothesis import strategies as st

from agent.core.clock import SystemClock
from agent.core.errors import Refused
from agent.core.model import Instant, Quality, Sample
from agent.core.ports import Browsable, Offer
from drivers import REGISTRY
from drivers.opcua import watch
from drivers.opcua.options import OpcUaPoint
from drivers.opcua.session import OpcUaSession
from drivers.opcua.subscription import Subscription
from drivers.opcua.values import names_of, to_sample
from drivers.scaling import Scaling
from tests.drivers.rigs import Rig, node_opcua, read_until
from tests.servers.process import HERE, Server, free_port

SERVER = node_opcua
KIND = REGISTRY["opcua"]
NODE = "nsu=urn:test:plant;s=Plant."
STATUS = {"node": "i=2256"}


@asynccontextmanager
async def session(rig: Rig, points: dict[str, dict[str, object]], **device: object) -> AsyncIterator[OpcUaSession]:
    options = KIND.device.model_validate({**rig.device, "timeout": 2.0, "sampling": 0.05, **device})
    parsed = {name: KIND.point.model_validate(each) for name, each in points.items()}
    made = await KIND.build("plc", options, parsed, SystemClock()).connect()
    assert isinstance(made, OpcUaSession)
    try:
        yield made
    finally:
        await made.close()


async def first(rig: Rig, points: dict[str, dict[str, object]], **device: object) -> dict[str, Sample]:
    async with session(rig, points, **device) as live:
        return {sample.point.removeprefix("plc."): sample for sample in await live.read()}


async def news(live: OpcUaSession, seconds: float) -> list[Sample]:
    found: list[Sample] = []
    until_s = time.monotonic() + seconds
    while time.monotonic() < until_s:
        found += await live.read()
    return found


async def until(live: OpcUaSession, **wanted: object) -> None:
    """Read until the points have these values."""
    seen: dict[str, object] = {}
    async with asyncio.timeout(5.0):
        while not wanted.items() <= seen.items():
            seen |= {sample.point.removeprefix("plc."): sample.value for sample in await live.read()}


async def change(live: OpcUaSession, point: str, seconds: float) -> None:
    """Write another value every 50 ms."""
    for value in range(int(seconds / 0.05)):
        await live.write(point, value)
        await asyncio.sleep(0.05)


@pytest.mark.server
async def test_elements_and_fields_are_points_of_their_own(real: Rig) -> None:
    seen = await first(real, {
        "one": {"node": NODE + "Levels", "element": 1, "scale": 10},
        "nine": {"node": NODE + "Levels", "element": 9},
        "state": {**STATUS, "field": "State", "values": {0: "running", 1: "failed"}},
        "product": {**STATUS, "field": "BuildInfo.ProductName"},
        "nothing": {**STATUS, "field": "Nothing"},
    })  # fmt: skip
    assert seen["one"].value == 20.0 and seen["state"].value == "running"
    assert seen["nine"].reason == "there is no element 9; the array has 2"
    assert isinstance(seen["product"].value, str) and seen["product"].value
    assert (
        seen["nothing"].reason is not None
        and "there is no field 'Nothing'; there is StartTime" in seen["nothing"].reason
    )


@pytest.mark.server
async def test_a_path_is_as_good_as_a_node_id(real: Rig) -> None:
    seen = await first(real, {
        "uri": {"path": "Objects/nsu=urn:test:plant:Plant/nsu=urn:test:plant:Level"},
        "none": {"path": "Objects/Nowhere"},
        "foreign": {"path": "Objects/nsu=urn:nowhere:Plant"},
    })  # fmt: skip
    assert seen["uri"].value == 7.0
    assert seen["none"].reason == "Objects/Nowhere: BadNoMatch"
    assert seen["foreign"].reason == "the server has no namespace 'urn:nowhere'"


@pytest.mark.server
async def test_one_element_of_an_array_is_written(real: Rig) -> None:
    points: dict[str, dict[str, object]] = {
        "one": {"node": NODE + "Levels", "element": 1, "writable": True},
        "all": {"node": NODE + "Levels", "element": 0},
    }
    async with session(real, points) as live:
        try:
            await live.write("plc.one", 42.0)
        except Refused as error:
            assert "does not write single elements" in str(error) or "Bad" in str(error)
        else:
            samples = {sample.point: sample.value for sample in await live.fetch(["plc.one", "plc.all"])}
            assert samples == {"plc.one": 42.0, "plc.all": 1.0}
            await live.write("plc.one", 2.0)


@pytest.mark.server
async def test_a_server_may_be_polled_instead(real: Rig) -> None:
    async with session(real, {"level": {"node": NODE + "Level"}}, mode="poll", sampling=0.1) as live:
        await live.read()
        samples = await news(live, 1.0)
        assert 6 <= len(samples) <= 12 and {sample.value for sample in samples} == {7.0}


@pytest.mark.server
async def test_a_server_without_subscriptions_is_polled(real: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuse(*_: object) -> None:
        raise UaStatusCodeError(StatusCodes.BadServiceUnsupported)  # type: ignore[no-untyped-call]

    monkeypatch.setattr(UaSession, "create_subscription", refuse)
    async with session(real, {"level": {"node": NODE + "Level"}, "hot": {"condition": "Heat/TooHot"}}) as live:
        await live.read()
        assert {sample.value for sample in await news(live, 0.5)} == {7.0}


@pytest.mark.server
async def test_an_item_that_fell_silent_is_found_and_monitored_anew_alone(real: Rig) -> None:
    points: dict[str, dict[str, object]] = {
        "quiet": {"node": NODE + "SetPoint", "writable": True},
        "level": {"node": NODE + "Level"},
    }
    async with session(real, points, watchdog=1.0) as live:
        await live.write("plc.quiet", 1)
        await news(live, 0.3)
        subscription, node = live._subscription, live._items.by_id["plc.quiet"].node
        assert subscription is not None and node is not None
        await live._calls.delete_items(subscription.id, [subscription._items[node]])
        await live.write("plc.quiet", 2)
        assert 2 in {sample.value for sample in await news(live, 3.5)}
        await live.write("plc.quiet", 3)
        assert (await read_until(live, {"plc.quiet"}))["plc.quiet"].value == 3


@pytest.mark.server
async def test_an_item_that_fell_silent_is_found_although_its_value_changes_all_the_time(real: Rig) -> None:
    points: dict[str, dict[str, object]] = {"quiet": {"node": NODE + "SetPoint", "writable": True}}
    async with session(real, points, watchdog=1.0) as live:
        await live.write("plc.quiet", 1)
        await news(live, 0.3)
        subscription, node = live._subscription, live._items.by_id["plc.quiet"].node
        assert subscription is not None and node is not None
        await live._calls.delete_items(subscription.id, [subscription._items[node]])
        changing = asyncio.create_task(change(live, "plc.quiet", 5.0))
        seen = [sample.value for sample in await news(live, 5.0)]
        await changing
        assert len(seen) > 10, "heard of again, and of the changes since"


@pytest.mark.server
async def test_an_item_that_tells_is_left_alone_however_quickly_it_changes(real: Rig) -> None:
    points: dict[str, dict[str, object]] = {"busy": {"node": NODE + "SetPoint", "writable": True}}
    async with session(real, points, watchdog=1.0) as live:
        await live.read()
        subscription, node = live._subscription, live._items.by_id["plc.busy"].node
        assert subscription is not None and node is not None
        item = subscription._items[node]
        changing = asyncio.create_task(change(live, "plc.busy", 3.5))
        assert len(await news(live, 3.5)) > 20
        await changing
        assert subscription._items[node] == item


@pytest.mark.server
async def test_a_node_that_appears_later_comes_alive_without_a_new_connection(
    real: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "RETRY_S", 0.5)
    points: dict[str, dict[str, object]] = {
        "late": {"node": NODE + "Late"},
        "grow": {"node": NODE + "Grow", "writable": True},
    }
    async with session(real, points) as live:
        seen = await read_until(live, {"plc.late"})
        assert seen["plc.late"].reason == "BadNodeIdUnknown"
        await live.write("plc.grow", True)
        found = [sample.value for sample in await news(live, 2.5) if sample.point == "plc.late"]
        assert found[-1] == 5.0


@pytest.mark.server
async def test_the_conditions_of_a_server_are_points(real: Rig) -> None:
    points: dict[str, dict[str, object]] = {
        "hot": {"condition": "Heat/TooHot"},
        "other": {"condition": "Heat/Nothing"},
        "heat": {"node": NODE + "Heat", "writable": True},
    }
    async with session(real, points) as live:
        await until(live, hot=False, other=False)
        await live.write("plc.heat", 85.0)
        await until(live, hot=True)
    async with session(real, points) as live:
        await until(live, hot=True)  # told at once, by a refresh
        await live.write("plc.heat", 20.0)
        await until(live, hot=False)


@pytest.mark.server
async def test_a_server_that_tells_no_conditions_hurts_no_other_point(
    real: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    points: dict[str, dict[str, object]] = {"hot": {"condition": "Heat/TooHot"}, "level": {"node": NODE + "Level"}}

    async def refuse(*_: object) -> ua.StatusCode:
        return ua.StatusCode(ua.UInt32(StatusCodes.BadNotSupported))

    async def no_refresh(*_: object) -> list[ua.CallMethodResult]:
        return [ua.CallMethodResult(ua.StatusCode(ua.UInt32(StatusCodes.BadMethodInvalid)))]

    with monkeypatch.context() as patch:
        patch.setattr(UaSession, "call", no_refresh)
        seen = await first(real, points)
        assert "refuses a refresh (BadMethodInvalid)" in str(seen["hot"].reason) and seen["level"].value == 7.0
    monkeypatch.setattr(Subscription, "add_events", refuse)
    seen = await first(real, points)
    assert "does not tell its events: BadNotSupported" in str(seen["hot"].reason) and seen["level"].value == 7.0


async def offers(live: OpcUaSession, path: str) -> dict[str, Offer]:
    assert isinstance(live, Browsable)
    return {re.sub(r".*/(\d+:)?", "", offer.path): offer async for offer in live.browse(path)}


@pytest.mark.server
async def test_browsing_with_wildcards(real: Rig) -> None:
    async with session(real, {}) as live:
        top = await offers(live, "")
        assert {"Plant", "Server"} <= set(top) and top["Plant"].options is None and top["Plant"].children
        below = await offers(live, "Objects/Plant/S*")
        assert set(below) == {"SetPoint", "Siren"}
        siren = below["Siren"]
        assert (siren.options, siren.type, siren.value) == (
            {"node": NODE + "Siren"},
            "Boolean",
            False,
        ) and siren.writable
        everything = await offers(live, "Plant/**")
        assert {"Level", "SetPoint", "HeatLimit", "HighLimit"} <= set(everything)
        assert await offers(live, "Nowhere/*") == {}
        seen = await first(real, {"it": dict(siren.options or {})})
        assert seen["it"].value is False


def are_together(latest: dict[str, Sample]) -> bool:
    """Tell whether all of a thousand points changed, and none is more than a round behind."""
    rounds = [float(str(sample.value)) for sample in latest.values() if sample.value is not None]
    return len(rounds) == 999 and max(rounds) - min(rounds) <= 1 and min(rounds) > 5


@pytest.mark.server
async def test_one_bad_point_among_a_thousand_that_all_change_hurts_no_other(tmp_path: Path) -> None:
    port = free_port()
    command = ["node", str(HERE / "opcua_load.js"), str(port), str(tmp_path), "999", "100"]
    server = Server(command, port)
    server.start()
    try:
        points: dict[str, dict[str, object]] = {
            f"v{n}": {"node": f"nsu=urn:test:load;s=V{n}"} for n in (*range(500), "X", *range(500, 999))
        }
        rig = Rig(
            "load", "opcua", server, {"endpoint": f"opc.tcp://127.0.0.1:{port}/plant", "security": "none"}, {}, ("", 0)
        )
        async with session(rig, points, timeout=5.0, sampling=0.1) as live:
            await live.read()
            latest: dict[str, Sample] = {}
            async with asyncio.timeout(20.0):  # a busy machine needs a while for what gathered at the beginning
                while not are_together(latest):
                    latest |= {sample.point: sample for sample in await news(live, 0.5)}
        assert latest["plc.vX"].reason == "BadNodeIdUnknown"
    finally:
        server.kill()


NOW = Instant(1.0, SystemClock().now().utc)


def sample_of(status: int) -> Sample:
    data = ua.DataValue(ua.Variant(1.5), ua.StatusCode(ua.UInt32(status)))
    return to_sample("p", OpcUaPoint(node="i=1"), Scaling(), data, NOW)


def test_a_queue_that_ran_over_is_told_and_the_value_kept() -> None:
    assert sample_of(0x480)[:3] == ("p", 1.5, Quality.GOOD)
    assert sample_of(0x480).reason == "the server's queue ran over; values are missing"
    assert sample_of(0x40000480).quality is Quality.UNCERTAIN
    assert sample_of(0x00960000).quality is Quality.GOOD, "GoodLocalOverride is good: the two top bits decide"
    assert sample_of(0x80310000).value is None


@given(st.lists(st.text(min_size=1).filter(lambda name: "&" not in name), min_size=1, max_size=5))
def test_a_slash_in_a_name_is_escaped(names: list[str]) -> None:
    assert names_of("/".join(name.replace("/", "&/") for name in names)) == names


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "one of 'node', 'path' and 'condition'"),
        ({"node": "i=1", "path": "Objects"}, "one of 'node', 'path' and 'condition'"),
        ({"path": "Objects/*/Level"}, "'anshao browse' lists them"),
        ({"path": "/"}, "'path' is empty"),
        ({"condition": "A/B", "writable": True}, "a condition is true or false"),
        ({"node": "i=1", "field": "A", "writable": True}, "a field of a structure cannot be written"),
        ({"node": "i=1", "deadband": 1, "trigger": "status"}, "leave 'trigger: status' out"),
        ({"node": "i=1", "deadband": "0%"}, "greater than 0"),
    ],
)
def test_what_a_point_may_not_be(options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        OpcUaPoint.model_validate(options)
