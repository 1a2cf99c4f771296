"""MQTT as a source: what messages mean (pure), and a mosquitto with a gadget on it."""

from __future__ import annotations

import asyncio
import json
import math
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from paho.mqtt.enums import CallbackAPIVersion

from agent.core.clock import SystemClock
from agent.core.errors import NotConnected, Refused
from agent.core.model import Instant, Quality, Sample
from agent.core.ports import Session
from drivers import REGISTRY
from drivers.mqtt import session as mqtt_session
from drivers.mqtt.judging import Judge, Message
from drivers.mqtt.link import Link
from drivers.mqtt.options import MqttDevice, MqttPoint
from drivers.mqtt.paths import follow, parse_path
from drivers.mqtt.polygon import is_inside
from tests.drivers.rigs import Rig, mosquitto_plant, read_until

SERVER = mosquitto_plant
KIND = REGISTRY["mqtt"]
START = datetime(2026, 11, 24, 8, tzinfo=UTC)


def at(seconds: float) -> Instant:
    return Instant(1000.0 + seconds, START + timedelta(seconds=seconds))


def judge(**options: object) -> Judge:
    return Judge("m.p", MqttPoint.model_validate({"topic": "t", **options}))


def told(who: Judge, payload: Any, seconds: float = 0.0, retained: bool = False, topic: str = "t") -> Sample | None:
    data = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return who.judge(Message(topic, data, retained, at(seconds)))


def value_of(payload: Any, **options: object) -> tuple[object, str | None]:
    sample = told(judge(**options), payload)
    assert sample is not None
    return sample.value, sample.reason


@pytest.mark.parametrize(
    ("payload", "options", "value"),
    [
        (b"21.5", {}, 21.5),
        (b"running", {}, "running"),
        ({"a": {"b": [1, {"c d": 3}]}}, {"path": "$.a.b[1]['c d']"}, 3),
        ({"a": "72"}, {"path": "a", "type": "number", "scale": 0.5}, 36.0),
        ({"sos": 1}, {"path": "$.sos", "type": "bool"}, True),
        ({"sos": "OFF"}, {"path": "$.sos", "type": "bool"}, False),
        ({"event": "FALL"}, {"path": "$.event", "true_when": ["FALL", "CRASH"]}, True),
        ({"event": 1}, {"path": "$.event", "true_when": [True]}, False),
        ({"mode": 2}, {"path": "$.mode", "values": {1: "walk", 2: "run"}}, "run"),
        ({"n": 5}, {"path": "$.n", "type": "string"}, "5"),
        ({"pos": {"lon": 0.5, "lat": 0.5}}, {"inside": {"x": "$.pos.lon", "y": "$.pos.lat",
         "polygon": [[0, 0], [1, 0], [1, 1], [0, 1]]}}, True),
    ],
)  # fmt: skip
def test_what_a_message_means(payload: Any, options: dict[str, object], value: object) -> None:
    found, reason = value_of(payload, **options)
    assert (found, reason) == (value, None) and type(found) is type(value)


@pytest.mark.parametrize(
    ("payload", "options", "reason"),
    [
        (b'{"a": 1', {"path": "a"}, "t: the payload is broken JSON (7 octets)"),
        ({"b": 1}, {"path": "$.a"}, "t: nothing at $.a"),
        ({"a": None}, {"path": "$.a"}, "t: at $.a is no single value"),
        ({"a": "much"}, {"path": "$.a", "type": "number"}, "t: 'much' is no number"),
        (b'{"a": NaN}', {"path": "$.a"}, "t: nan is no number"),
        ({"a": "maybe"}, {"path": "$.a", "type": "bool"}, "t: 'maybe' is neither true nor false; say "
         "with 'true_when' what is"),
        ({"v": 1, "at": "soon"}, {"path": "$.v", "time": "$.at"}, "t: 'soon' at $.at is no time (iso)"),
        (b"\xff\xfe" * 40000, {"type": "number"}, None),
        (b"[" * 100000, {}, "t: the payload is broken JSON (100000 octets)"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_bad_and_says_why(payload: Any, options: dict[str, object], reason: str | None) -> None:
    value, found = value_of(payload, **options)
    assert value is None and found is not None and reason in (None, found)


@given(
    st.binary(max_size=200), st.sampled_from(["", "$.a", "$[0]"]), st.sampled_from(["auto", "bool", "number", "string"])
)
def test_no_payload_raises(payload: bytes, path: str, kind: str) -> None:
    sample = told(judge(path=path, type=kind), payload)
    assert sample is not None and (sample.value is None) is (sample.quality is Quality.BAD)


def test_messages_are_judged_by_their_own_time() -> None:
    who = judge(path="$.v", time="$.at", time_format="s", max_age=60.0)
    epoch = START.timestamp()
    new = told(who, {"v": 1, "at": epoch - 5}, retained=True)
    assert new is not None and new.value == 1 and new.quality is Quality.GOOD and new.source_time == at(-5).utc
    assert told(who, {"v": 2, "at": epoch - 6}) is None, "out of order: older than what is known"
    late = told(who, {"v": 3, "at": epoch + 10}, 90.0)
    assert late is not None and late.reason == "t: the message is 80s old"
    ahead = told(who, {"v": 4, "at": epoch + 1000})
    assert ahead is not None and ahead.quality is Quality.UNCERTAIN and "look at the clocks" in str(ahead.reason)
    unknown = told(judge(), b"5", retained=True)
    assert unknown is not None and unknown.reason == "a retained message, of unknown age"


def test_each_gadget_below_a_wildcard_has_its_own_order() -> None:
    who = judge(topic="badge/+", path="$.v", time="$.at", time_format="ms")
    ms = START.timestamp() * 1000
    assert told(who, {"v": 1, "at": ms}, topic="badge/a") is not None
    assert told(who, {"v": 2, "at": ms - 500}, topic="badge/b") is not None
    assert told(who, {"v": 3, "at": ms - 500}, topic="badge/a") is None


def test_an_event_lasts_and_ends_by_itself() -> None:
    who = judge(path="$.sos", hold=10.0)
    first = who.begin(at(0))
    assert first is not None and first.value is False, "no message is no event"
    pressed = told(who, {"sos": True}, 1.0)
    assert pressed is not None and pressed.value is True
    assert told(who, {"sos": False}, 2.0) is None, "the button was let go; the event lasts"
    assert who.release(at(10.9)) is None
    ended = who.release(at(11.0))
    assert ended is not None and ended.value is False and who.release(at(12.0)) is None


def test_a_message_without_the_path_may_be_ignored() -> None:
    assert told(judge(path="$.sos", missing="ignore"), {"battery": 5}) is None


@given(
    st.floats(min_value=-2, max_value=2), st.floats(min_value=-2, max_value=2), st.integers(min_value=3, max_value=40)
)
def test_a_regular_polygon_holds_what_is_near_its_middle(x: float, y: float, corners: int) -> None:
    polygon = [(math.cos(2 * math.pi * k / corners), math.sin(2 * math.pi * k / corners)) for k in range(corners)]
    distance = math.hypot(x, y)
    if distance < math.cos(math.pi / corners) - 1e-9:
        assert is_inside(x, y, polygon)
    if distance > 1 + 1e-9:
        assert not is_inside(x, y, polygon)


@given(
    st.recursive(
        st.integers(),
        lambda inner: (
            st.dictionaries(
                st.text("ab c'", min_size=1, max_size=3).filter(lambda key: "'" not in key),
                inner,
                min_size=1,
                max_size=3,
            )
            | st.lists(inner, min_size=1, max_size=3)
        ),
        max_leaves=8,
    )
)
def test_every_leaf_has_a_path(data: Any) -> None:
    def leaves(node: Any, path: str) -> Iterator[tuple[str, int]]:
        if isinstance(node, dict):
            for key, each in node.items():
                yield from leaves(each, f"{path}['{key}']")
        elif isinstance(node, list):
            for index, each in enumerate(node):
                yield from leaves(each, f"{path}[{index}]")
        else:
            yield path, node

    assert all(follow(data, path) == leaf for path, leaf in leaves(data, "$"))


@pytest.mark.parametrize("text", ["$.", "a..b", "$[x]", "$['a", "a b", "$*"])
def test_what_is_no_path(text: str) -> None:
    with pytest.raises(ValueError, match="is not a path"):
        parse_path(text)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"topic": "a/#/b"}, "'#' may only be its last part"),
        ({"topic": "a/b+"}, "stands for one whole part"),
        ({"writable": True}, "both 'writable: true' and 'publish: TOPIC'"),
        ({"writable": True, "publish": "a", "payload": "on"}, "'payload' does not say where the value goes"),
        ({"stale_after": 3.0}, "called 'expiry'"),
        ({"values": {1: "a"}, "true_when": [1]}, "three ways to make a value"),
        ({"path": "a", "inside": {"x": "x", "y": "y", "polygon": [[0, 0], [1, 0], [1, 1]]}}, "paths of its own"),
    ],
)
def test_what_a_point_may_not_be(options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MqttPoint.model_validate({"topic": "t", **options})


def test_a_password_is_not_repeated() -> None:
    with pytest.raises(ValueError, match="what stands there is not a broker") as told:
        MqttDevice.model_validate({"broker": "mqtt://op:s3cret@host"})
    assert "s3cret" not in told.value.errors()[0]["msg"]  # type: ignore[attr-defined]


def test_silence_of_an_event_is_normal_and_of_all_else_it_is_not() -> None:
    points = {"sos": {"topic": "a", "hold": 5.0}, "pulse": {"topic": "a"}, "door": {"topic": "a", "expiry": "never"}}
    parsed = {name: KIND.point.model_validate(each) for name, each in points.items()}
    device = KIND.device.model_validate({"broker": "mqtt://localhost"})
    built = KIND.build("m", device, parsed, SystemClock())
    assert {info.id: info.stale_after_s for info in built.points} == {"m.sos": None, "m.pulse": 60.0, "m.door": None}


async def connect(rig: Rig, points: dict[str, dict[str, object]], **device: object) -> Session:
    options = KIND.device.model_validate({**rig.device, "timeout": 2.0, **device})
    return await KIND.build(
        "plc", options, {name: KIND.point.model_validate(each) for name, each in points.items()}, SystemClock()
    ).connect()


def publisher(rig: Rig) -> mqtt.Client:
    client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
    client.connect("127.0.0.1", rig.server.port)
    client.loop_start()
    return client


@pytest.mark.server
async def test_a_refused_subscription_is_bad_and_hurts_no_other(real: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = {"secret/x": "the broker refuses the subscription (reason 0x87)"}
    original = Link.subscribe

    async def subscribe(self: Link, topics: Sequence[str]) -> dict[str, str]:
        """mosquitto grants what it will not deliver; another broker says so."""
        await original(self, [topic for topic in topics if topic not in answers])
        return answers

    monkeypatch.setattr(Link, "subscribe", subscribe)
    session = await connect(
        real, {"secret": {"topic": "secret/x"}, "value": {"topic": "plant/value", "path": "$.value"}}
    )
    seen = await read_until(session, {"plc.secret", "plc.value"})
    await session.close()
    assert seen["plc.value"].value == 7
    assert "refuses the subscription (reason 0x87)" in str(seen["plc.secret"].reason)


@pytest.mark.server
async def test_a_burst_keeps_the_last_value_of_each_point(real: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mqtt_session, "MOST_WAITING", 500)
    session = await connect(real, {f"b{n}": {"topic": f"plant/burst/{n}"} for n in range(20)})
    client = publisher(real)
    for number in range(4000):
        client.publish(f"plant/burst/{number % 20}", str(number), qos=1)
    big = client.publish("plant/burst/0", "x" * 4000, qos=1)
    await asyncio.to_thread(big.wait_for_publish, 10.0)
    last: dict[str, Sample] = {}
    until_s = time.monotonic() + 8.0
    while time.monotonic() < until_s and (
        len(last) < 20 or last["plc.b19"].value != 3999 or last["plc.b0"].value != "x" * 4000
    ):
        last |= {sample.point: sample for sample in await session.read()}
    assert [last[f"plc.b{n}"].value for n in range(1, 20)] == [3980 + n for n in range(1, 20)]
    assert last["plc.b0"].value == "x" * 4000
    client.loop_stop()
    client.disconnect()
    await session.close()


@pytest.mark.server
async def test_a_broker_that_wants_a_password(tmp_path: Path) -> None:
    from tests.servers.mosquitto import mosquitto

    server = mosquitto(tmp_path)
    config = tmp_path / "mosquitto.conf"
    config.write_text(config.read_text().replace("allow_anonymous true", "allow_anonymous false"))
    server.start()
    try:
        options = KIND.device.model_validate({"broker": f"mqtt://127.0.0.1:{server.port}", "timeout": 2.0})
        with pytest.raises(NotConnected, match=r"refuses us: Not authorized"):
            await KIND.build("m", options, {}, SystemClock()).connect()
    finally:
        server.kill()


@pytest.mark.server
async def test_a_topic_that_the_broker_closes_to_us_is_refused(real: Rig) -> None:
    closed = {"topic": "plant/closed", "publish": "plant/closed", "writable": True}
    session = await connect(real, {"closed": closed})
    with pytest.raises(Refused, match=r"the broker refuses plant/closed \(reason 0x87\)"):
        await session.write("plc.closed", 1)
    await session.close()
