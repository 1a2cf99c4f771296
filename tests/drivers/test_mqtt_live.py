"""A hostile plant: floods, far brokers, brokers that die while a button is pressed, gadgets that fall silent."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from contextlib import closing, suppress
from dataclasses import replace
from typing import Any

import paho.mqtt.client as mqtt
import pytest

from agent.core.clock import SystemClock
from agent.core.errors import NotConnected, Refused
from agent.core.model import Quality, Sample
from agent.core.ports import Driver
from drivers import REGISTRY
from drivers.mqtt import inbox
from drivers.mqtt.inbox import Inbox
from drivers.mqtt.link import Link
from drivers.mqtt.options import MqttDevice
from tests.drivers.rigs import Rig, fetch_until, mosquitto_plant, read_until
from tests.drivers.test_mqtt import connect, publisher

SERVER = mosquitto_plant
KIND = REGISTRY["mqtt"]


def build(rig: Rig, points: dict[str, dict[str, object]], **device: object) -> Driver:
    options = KIND.device.model_validate({**rig.device, "timeout": 2.0, **device})
    parsed = {name: KIND.point.model_validate(each) for name, each in points.items()}
    return KIND.build("plc", options, parsed, SystemClock())


def tell(rig: Rig, topic: str, payload: str, retain: bool = False) -> None:
    client = publisher(rig)
    client.publish(topic, payload, qos=1, retain=retain).wait_for_publish(5.0)
    client.disconnect()
    client.loop_stop()


class Far:
    """A TCP proxy to a broker that is ``delay_s`` away."""

    def __init__(self, target: int, delay_s: float) -> None:
        self._target, self._delay_s = target, delay_s
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> int:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return int(self._server.sockets[0].getsockname()[1])

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        their_reader, their_writer = await asyncio.open_connection("127.0.0.1", self._target)
        ways = ((reader, their_writer), (their_reader, writer))
        self._tasks |= {asyncio.create_task(self._pump(*way)) for way in ways}

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with closing(writer), suppress(OSError):
            while data := await reader.read(65536):
                await asyncio.sleep(self._delay_s)
                writer.write(data)


@pytest.mark.server
async def test_a_thousand_topics_of_a_far_broker_are_subscribed_in_time(real: Rig) -> None:
    points: dict[str, dict[str, object]] = {f"p{n}": {"topic": f"plant/far/{n}"} for n in range(1000)}
    async with Far(real.server.port, 0.02) as port:
        started_s = time.monotonic()
        session = await build(real, points, broker=f"mqtt://127.0.0.1:{port}").connect()
        assert time.monotonic() - started_s < 10.0
        await asyncio.to_thread(tell, real, "plant/far/999", "5")
        assert (await read_until(session, {"plc.p999"}))["plc.p999"].value == 5
        await session.close()


@pytest.mark.server
async def test_only_one_thread_writes_to_the_socket(real: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """TLS connections do not survive two, and half a packet of one could end in another's."""
    threads: set[int] = set()
    original = mqtt.Client._packet_write

    def watched(self: mqtt.Client) -> Any:
        threads.add(threading.get_ident())
        return original(self)

    monkeypatch.setattr(mqtt.Client, "_packet_write", watched)
    session = await connect(real, {"horn": {"topic": "plant/h", "publish": "plant/h", "writable": True}})
    for value in range(20):
        await session.write("plc.horn", value)
    await session.close()
    assert len(threads) == 1 and threading.get_ident() not in threads


@pytest.mark.server
async def test_a_flood_leaves_time_to_the_others(real: Rig) -> None:
    points: dict[str, dict[str, object]] = {f"p{n}": {"topic": "plant/flood/#"} for n in range(40)}
    patient = replace(real, device={**real.device, "keepalive": 10.0})  # the broker answers a ping behind the flood
    session = await connect(patient, points)
    client = publisher(real)
    for number in range(8000):
        client.publish(f"plant/flood/{number % 5}", str(number))
    late_s: list[float] = []

    async def tick() -> None:
        while True:
            before_s = time.monotonic()
            await asyncio.sleep(0.01)
            late_s.append(time.monotonic() - before_s - 0.01)

    ticking, until_s, last = asyncio.create_task(tick()), time.monotonic() + 30.0, 0
    while last != 7999 and time.monotonic() < until_s:
        last = next((int(str(s.value)) for s in reversed(await session.read()) if s.point == "plc.p0"), last)
    ticking.cancel()
    client.disconnect()
    client.loop_stop()
    await session.close()
    assert last == 7999 and max(late_s) < 0.3


@pytest.mark.parametrize(("count", "size"), [(1000, 1), (60, 2000)])
def test_an_inbox_that_runs_over_keeps_the_newest_of_each_topic(
    count: int, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbox, "MOST", 100)
    monkeypatch.setattr(inbox, "MOST_OCTETS", 50_000)
    heard: list[tuple[str, bytes]] = []
    box = Inbox(lambda topic, payload, _: heard.append((topic, payload)))
    calls = [box.put(f"t{n % 7}", str(n).encode().ljust(size), False) for n in range(count)]
    assert calls[0] and not any(calls[1:]), "the loop is woken once"
    while box.drain() is not None:
        pass
    newest = {topic: int(payload) for topic, payload in heard}
    assert sorted(newest.values()) == list(range(count - 7, count)) and len(heard) <= 100
    assert box.lost() == count - len(heard) and box.lost() == 0
    assert box.put("t", b"", False), "woken again"


def test_an_inbox_of_made_up_topics_stays_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inbox, "MOST", 100)
    heard: list[str] = []
    box = Inbox(lambda topic, *_: heard.append(topic))
    for number in range(1000):
        box.put(f"t{number}", b"x", False)
    while box.drain() is not None:
        pass
    assert len(heard) <= 100 and heard[-1] == "t999"


@pytest.mark.server
async def test_a_gadget_that_fell_silent_is_not_read_back_for_ever(real: Rig) -> None:
    session = await connect(real, {"horn": {"topic": "plant/silent", "expiry": 0.3}})
    await asyncio.to_thread(tell, real, "plant/silent", "1")
    await fetch_until(session, "plc.horn", 1)
    await asyncio.sleep(0.4)
    (sample,) = await session.fetch(["plc.horn"])
    assert sample.quality is Quality.BAD and "nothing was heard of it" in str(sample.reason)
    await session.close()


@pytest.mark.server
async def test_outputs_do_not_wait_for_a_gadget_that_tells_nothing(real: Rig) -> None:
    assert KIND.build_outputs is not None
    point = KIND.point.model_validate({"topic": "plant/never", "publish": "plant/set/never", "writable": True})
    options = KIND.device.model_validate({**real.device, "timeout": 5.0, "client_id": "gate", "session": 60.0})
    session = await KIND.build_outputs("plc", options, {"horn": point}, SystemClock()).connect()
    started_s = time.monotonic()
    (sample,) = await session.fetch(["plc.horn"])
    assert sample.quality is Quality.BAD and time.monotonic() - started_s < 2.0
    await session.close()


@pytest.mark.server
async def test_a_write_does_not_wait_behind_our_own_acknowledgements(
    real: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nagle's algorithm makes it 40 ms now and then, so the option itself is looked at."""
    opened: list[Any] = []
    original = Link._on_socket

    def watched(self: Link, client: object, data: object, each: Any) -> None:
        original(self, client, data, each)
        opened.append(each.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))

    monkeypatch.setattr(Link, "_on_socket", watched)
    session = await connect(real, {})
    await session.close()
    assert opened == [1]


@pytest.mark.server
async def test_what_is_written_is_scaled_back(real: Rig) -> None:
    echo: dict[str, object] = {"topic": "plant/echo", "publish": "plant/echo", "writable": True}
    points = {"tenths": {**echo, "scale": 0.1, "clamp": [0, 50]}, "mode": {**echo, "values": {0: "off", 7: "on"}}}
    session = await connect(real, {**points, "raw": {"topic": "plant/echo", "type": "string"}})
    await session.write("plc.tenths", 12.3)
    await fetch_until(session, "plc.raw", "123")
    await fetch_until(session, "plc.tenths", 12.3)
    await session.write("plc.mode", "on")
    await fetch_until(session, "plc.raw", "7")
    for point, value in (("plc.tenths", 51), ("plc.mode", "fast"), ("plc.tenths", float("nan"))):
        with pytest.raises(Refused):
            await session.write(point, value)
    await session.close()


@pytest.mark.server
async def test_a_button_pressed_while_we_are_away_is_heard_by_a_session_that_lasts(real: Rig) -> None:
    points: dict[str, dict[str, object]] = {"sos": {"topic": "plant/sos", "true_when": ["SOS"], "hold": 5.0}}
    driver = build(real, points, client_id="anshao-hall-1", session=60.0)
    await (await driver.connect()).close()
    await asyncio.to_thread(tell, real, "plant/sos", "SOS")
    session = await driver.connect()
    samples: list[Sample] = []
    async with asyncio.timeout(3.0):
        while not any(sample.value is True for sample in samples):
            samples += await session.read()
    assert samples[-1].value is True, "what is known without a message comes first"
    await session.close()
    again = await driver.connect()
    held = (await read_until(again, {"plc.sos"}))["plc.sos"]
    assert held.value is True, "a held event outlasts the connection"
    await again.close()


def test_a_session_that_lasts_needs_a_name() -> None:
    with pytest.raises(ValueError, match="'session' needs a 'client_id'"):
        MqttDevice.model_validate({"broker": "mqtt://localhost", "session": 60.0})


@pytest.mark.server
async def test_an_old_broker(real: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    protocols: list[int] = []
    original = mqtt.Client._send_connect

    def watched(self: mqtt.Client, keepalive: int) -> Any:
        protocols.append(int(self._protocol))
        return original(self, keepalive)

    monkeypatch.setattr(mqtt.Client, "_send_connect", watched)
    switch = {"topic": "plant/switch", "publish": "plant/set/switch", "writable": True}
    for lasting in ({}, {"client_id": "old", "session": 60.0}):
        session = await connect(real, {"switch": switch}, version="3.1.1", **lasting)
        await session.write("plc.switch", True)
        await fetch_until(session, "plc.switch", True)
        await session.close()
    assert protocols == [4, 4]


@pytest.mark.server
async def test_a_broker_that_flaps_leaves_no_threads_behind(real: Rig) -> None:
    before = threading.active_count()
    for _ in range(10):
        session = await connect(real, {"v": {"topic": "plant/value"}})
        await session.close()
        with pytest.raises(NotConnected):
            await build(real, {}, broker="mqtt://127.0.0.1:1").connect()
    async with asyncio.timeout(3.0):
        while threading.active_count() > before + 1:
            await asyncio.sleep(0.05)
