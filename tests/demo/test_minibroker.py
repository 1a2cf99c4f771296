"""The demo's own broker, with paho as the peer that we did not write, and raw bytes for the impolite ones."""

from __future__ import annotations

import asyncio
import queue
import socket
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from agent.demo.mqtt_wire import matches, valid_filter
from agent.demo.process import Child, free_port, wait_for_port


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[tuple[Child, int]]:
    port = free_port()
    child = Child("broker", [sys.executable, "-m", "agent.demo.minibroker", str(port)], tmp_path / "broker.log")
    await child.start()
    try:
        await wait_for_port(port, 10, "the broker")
        yield child, port
    finally:
        await child.stop()
    assert child.last_words() == ""


class Peer:
    """A paho client with queues instead of callbacks."""

    def __init__(self, port: int, name: str, expiry_s: int = 0, clean: bool = True, window: int = 0, **will: Any):
        self.messages: queue.Queue[mqtt.MQTTMessage] = queue.Queue()
        self.acks: queue.Queue[int] = queue.Queue()
        self.ups: queue.Queue[bool] = queue.Queue()
        self.subscribed: queue.Queue[list[int]] = queue.Queue()
        self.downs: queue.Queue[str] = queue.Queue()
        self.client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=name, protocol=mqtt.MQTTv5)
        self.client.on_connect = lambda c, u, flags, code, p: self.ups.put(flags.session_present)
        self.client.on_message = lambda c, u, message: self.messages.put(message)
        self.client.on_publish = lambda c, u, mid, code, p: self.acks.put(code.value)
        self.client.on_subscribe = lambda c, u, mid, codes, p: self.subscribed.put([code.value for code in codes])
        self.client.on_disconnect = lambda c, u, flags, code, p: self.downs.put(str(code))
        if will:
            self.client.will_set(**will)
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.SessionExpiryInterval = expiry_s
        if window:
            properties.ReceiveMaximum = window
        self.client.connect("127.0.0.1", port, keepalive=5, clean_start=clean, properties=properties)
        self.client.loop_start()
        self.present = self.ups.get(timeout=5)

    def subscribe(self, *filters: str, qos: int = 1) -> list[int]:
        self.client.subscribe([(one, SubscribeOptions(qos=qos)) for one in filters])
        return self.subscribed.get(timeout=5)

    def publish(self, topic: str, payload: bytes, qos: int = 1, retain: bool = False, **properties: Any) -> int:
        more = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
        for name, value in properties.items():
            setattr(more, name, value)
        self.client.publish(topic, payload, qos=qos, retain=retain, properties=more)
        return self.acks.get(timeout=5)

    def next(self) -> mqtt.MQTTMessage:
        return self.messages.get(timeout=5)

    def silent(self) -> bool:
        time.sleep(0.15)
        return self.messages.empty()

    def end(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()

    def die(self) -> None:
        sock = self.client.socket()
        assert isinstance(sock, socket.socket)
        self.client.loop_stop()
        sock.shutdown(socket.SHUT_RDWR)
        sock.close()


@pytest.fixture
def peer(broker: tuple[Child, int]) -> Iterator[Callable[..., Peer]]:
    peers: list[Peer] = []

    def connect(name: str, **options: Any) -> Peer:
        peers.append(Peer(broker[1], name, **options))
        return peers[-1]

    yield connect
    for one in peers:
        one.end()


async def test_publishes_to_those_who_subscribed_and_keeps_properties(peer: Callable[..., Peer]) -> None:
    centre, other, gateway = peer("centre"), peer("other"), peer("gateway")
    assert centre.subscribe("plant/+/events", "also/#", qos=2) == [1, 1]
    other.subscribe("elsewhere/#")
    code = gateway.publish("plant/a/events", b"{}", UserProperty=[("replayed", "true")], ContentType="application/json")
    assert code == 0
    message = centre.next()
    assert (message.topic, message.payload, message.qos, message.retain) == ("plant/a/events", b"{}", 1, False)
    properties: Any = message.properties
    assert properties.UserProperty == [("replayed", "true")]
    assert properties.ContentType == "application/json"
    assert other.silent()


async def test_says_when_nobody_listens(peer: Callable[..., Peer]) -> None:
    assert peer("gateway").publish("nobody/here", b"x") == 0x10


async def test_keeps_order_within_a_small_window(peer: Callable[..., Peer]) -> None:
    centre, gateway = peer("centre", window=2), peer("gateway")
    centre.subscribe("#")
    for number in range(200):
        gateway.client.publish("a", b"%d" % number, qos=1)
    assert [int(centre.next().payload) for _ in range(200)] == list(range(200))
    gateway.publish("a", b"zero", qos=0)
    assert centre.next().qos == 0


async def test_a_lasting_session_gets_what_it_missed(peer: Callable[..., Peer]) -> None:
    centre, gateway = peer("centre", expiry_s=60), peer("gateway")
    centre.subscribe("events")
    centre.end()
    assert [gateway.publish("events", b"%d" % number) for number in range(20)] == [0] * 20
    back = peer("centre", expiry_s=60, clean=False)
    assert back.present
    assert [int(back.next().payload) for _ in range(20)] == list(range(20))
    assert not peer("centre", clean=True).present


async def test_retained_messages_and_wills(peer: Callable[..., Peer]) -> None:
    gateway = peer("gateway", topic="status", payload=b"offline", qos=1, retain=True)
    gateway.publish("status", b"online", retain=True)
    centre = peer("centre")
    centre.subscribe("status")
    first = centre.next()
    assert (first.payload, first.retain) == (b"online", True)
    gateway.die()
    will = centre.next()
    assert (will.payload, will.retain) == (b"offline", False)
    late = peer("late")
    late.subscribe("status")
    assert late.next().payload == b"offline"
    polite = peer("polite", topic="status", payload=b"never", qos=1)
    polite.end()
    assert centre.silent()
    peer("eraser").publish("status", b"", retain=True)
    newcomer = peer("newcomer")
    newcomer.subscribe("status")
    assert newcomer.silent()


async def test_unsubscribing_and_being_taken_over(peer: Callable[..., Peer]) -> None:
    centre, gateway = peer("centre"), peer("gateway")
    centre.subscribe("a")
    centre.client.unsubscribe("a")
    deadline = time.monotonic() + 5
    while gateway.publish("a", b"x") != 0x10:
        assert time.monotonic() < deadline
    peer("centre")
    assert "taken over" in centre.downs.get(timeout=5).lower()


@pytest.mark.parametrize(
    "impolite",
    [
        b"GET / HTTP/1.1\r\n" + b"Accept: */*\r\n" * 9,
        b"\x10\x0c\x00\x04MQTT\x04\x02\x00\x3c\x00\x00",
        b"\x10\xff\xff\xff\xff\xff",
        b"\xc0\x00",
        b"\x10\x0e\x00\x04MQTT\x05\x02\x00\x3c\x00\x00\x01a\x30\x03\x00\x01#",
        b"\x10\x0e\x00\x04MQTT\x05\x02\x00\x3c\x00\x00\x01a\x34\x06\x00\x01a\x00\x01\x00",
        b"\x10\x0e\x00\x04MQTT\x05\x02\x00\x3c\x00\x00\x01a\x82\x01\x00",
    ],
    ids=["http", "mqtt-3.1.1", "long-length", "no-connect", "wildcard-topic", "qos-2", "cut-short"],
)
async def test_a_malformed_peer_loses_its_own_connection_only(
    broker: tuple[Child, int], peer: Callable[..., Peer], impolite: bytes
) -> None:
    centre, gateway = peer("centre"), peer("gateway")
    centre.subscribe("#")
    reader, writer = await asyncio.open_connection("127.0.0.1", broker[1])
    writer.write(impolite)
    async with asyncio.timeout(5):
        answer = await reader.read()
    writer.close()
    assert answer.endswith(b"\xe0\x02\x81\x00")
    assert gateway.publish("a", b"still here") == 0
    assert centre.next().payload == b"still here"


async def test_ending_hangs_up_on_those_who_never_spoke(broker: tuple[Child, int]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", broker[1])
    writer.write(b"\x10\x20half of a CONNECT")
    await asyncio.sleep(0.1)
    await broker[0].stop()
    assert await reader.read() == b""
    writer.close()


async def test_ending_delivers_what_was_acknowledged(broker: tuple[Child, int], peer: Callable[..., Peer]) -> None:
    centre, gateway = peer("centre"), peer("gateway")
    centre.subscribe("#")
    for number in range(500):
        gateway.client.publish("a", b"%d" % number, qos=1)
    gateway.acks.get(timeout=5)
    await broker[0].stop()
    gateway.downs.get(timeout=5)
    await asyncio.sleep(0.2)
    acknowledged = 1 + gateway.acks.qsize()
    received = [int(centre.messages.get_nowait().payload) for _ in range(centre.messages.qsize())]
    assert received[:acknowledged] == list(range(acknowledged))


@pytest.mark.parametrize(
    ("pattern", "topic", "expected"),
    [
        ("#", "a/b", True),
        ("a/#", "a", True),
        ("a/+", "a", False),
        ("a/+", "a/b", True),
        ("a/+", "a/b/c", False),
        ("+/+", "/a", True),
        ("#", "$SYS/x", False),
        ("$SYS/#", "$SYS/x", True),
        ("a/b", "a/c", False),
    ],
)
def test_topic_filters(pattern: str, topic: str, expected: bool) -> None:
    assert matches(pattern, topic) is expected


def test_which_filters_are_well_formed() -> None:
    assert [one for one in ("a/#", "+", "#", "a/+/b", "", "a#", "#/a", "a/b+") if not valid_filter(one)] == [
        "",
        "a#",
        "#/a",
        "a/b+",
    ]
