"""MQTT 5 packets as bytes: as much of them as a small broker needs."""

from __future__ import annotations

import asyncio
import struct
from dataclasses import dataclass, field
from enum import IntEnum

MAX_PACKET = 1 << 20
"""Longest packet that is taken, in bytes."""


class Malformed(Exception):  # noqa: N818 - the word of the specification
    """Not MQTT 5, or a part of it that this broker does not speak; the connection is closed."""


class Kind(IntEnum):
    """Packet types that are used here."""

    CONNECT = 1
    CONNACK = 2
    PUBLISH = 3
    PUBACK = 4
    SUBSCRIBE = 8
    SUBACK = 9
    UNSUBSCRIBE = 10
    UNSUBACK = 11
    PINGREQ = 12
    PINGRESP = 13
    DISCONNECT = 14


class Property(IntEnum):
    """Properties that this broker itself looks at; all others travel on with their message."""

    SESSION_EXPIRY = 0x11
    RECEIVE_MAXIMUM = 0x21
    TOPIC_ALIAS = 0x23
    MAXIMUM_QOS = 0x24
    ASSIGNED_CLIENT_ID = 0x12


_FIXED = {
    **dict.fromkeys((0x01, 0x17, 0x19, 0x24, 0x25, 0x28, 0x29, 0x2A), 1),
    **dict.fromkeys((0x13, 0x21, 0x22, 0x23), 2),
    **dict.fromkeys((0x02, 0x11, 0x18, 0x27), 4),
}
_TEXTS = {**dict.fromkeys((0x03, 0x08, 0x09, 0x12, 0x15, 0x16, 0x1A, 0x1C, 0x1F), 1), 0x26: 2}
_SUBSCRIPTION_IDENTIFIER = 0x0B


@dataclass(frozen=True)
class Message:
    """An application message; ``properties`` are its raw bytes, without their length."""

    topic: str
    payload: bytes
    qos: int
    retain: bool = False
    properties: bytes = b""


@dataclass
class Connect:
    """What a client says first. ``session_expiry_s`` and ``keepalive_s`` are in seconds."""

    client_id: str
    clean_start: bool
    keepalive_s: int
    properties: dict[int, int] = field(default_factory=dict)
    will: Message | None = None


class Cursor:
    """Reads fields of one packet, and raises Malformed where they do not fit."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    @property
    def rest(self) -> bytes:
        """What was not read yet."""
        return self._data[self._at :]

    def take(self, count: int) -> bytes:
        """Read ``count`` bytes."""
        if self._at + count > len(self._data):
            raise Malformed("the packet ends too early")
        self._at += count
        return self._data[self._at - count : self._at]

    def number(self, size: int) -> int:
        """Read a big-endian number of ``size`` bytes."""
        return int.from_bytes(self.take(size), "big")

    def varint(self) -> int:
        """Read a variable byte integer."""
        value = 0
        for shift in (0, 7, 14, 21):
            byte = self.number(1)
            value |= (byte & 0x7F) << shift
            if not byte & 0x80:
                return value
        raise Malformed("a variable byte integer is longer than four bytes")

    def binary(self) -> bytes:
        """Read bytes with their length in front."""
        return self.take(self.number(2))

    def text(self) -> str:
        """Read text."""
        try:
            return self.binary().decode("utf-8")
        except UnicodeDecodeError as error:
            raise Malformed("text is not UTF-8") from error

    def properties(self) -> tuple[dict[int, int], bytes]:
        """Read properties: the numbers among them by id, and all of them as raw bytes."""
        raw = self.take(self.varint())
        cursor, numbers = Cursor(raw), dict[int, int]()
        while cursor.rest:
            identifier = cursor.varint()
            if identifier in _FIXED:
                numbers[identifier] = cursor.number(_FIXED[identifier])
            elif identifier == _SUBSCRIPTION_IDENTIFIER:
                numbers[identifier] = cursor.varint()
            elif identifier in _TEXTS:
                for _ in range(_TEXTS[identifier]):
                    cursor.binary()
            else:
                raise Malformed(f"there is no property {identifier}")
        return numbers, raw


async def read_packet(reader: asyncio.StreamReader) -> tuple[int, int, Cursor]:
    """Return type, flags and body of the next packet. Raises Malformed, and IncompleteReadError at the end."""
    first = (await reader.readexactly(1))[0]
    length = await _length(reader)
    if length > MAX_PACKET:
        raise Malformed(f"a packet of {length} bytes is too long")
    return first >> 4, first & 0x0F, Cursor(await reader.readexactly(length))


async def _length(reader: asyncio.StreamReader) -> int:
    value = 0
    for shift in (0, 7, 14, 21):
        byte = (await reader.readexactly(1))[0]
        value |= (byte & 0x7F) << shift
        if not byte & 0x80:
            return value
    raise Malformed("the length of a packet is longer than four bytes")


def parse_connect(body: Cursor) -> Connect:
    """Read a CONNECT. Raises Malformed for anything but MQTT 5."""
    if body.text() != "MQTT" or body.number(1) != 5:
        raise Malformed("this is not MQTT 5")
    flags, keepalive_s = body.number(1), body.number(2)
    properties, _ = body.properties()
    client_id = body.text()
    will = _will(flags, body) if flags & 0x04 else None
    return Connect(client_id, bool(flags & 0x02), keepalive_s, properties, will)


def _will(flags: int, body: Cursor) -> Message:
    numbers, raw = body.properties()
    if 0x18 in numbers:  # the will is sent at once; its delay is no property of a publication
        raw = raw.replace(bytes([0x18]) + numbers[0x18].to_bytes(4, "big"), b"", 1)
    topic, payload = body.text(), body.binary()
    return Message(topic, payload, min(flags >> 3 & 0x03, 1), bool(flags & 0x20), raw)


def parse_publish(flags: int, body: Cursor) -> tuple[Message, int]:
    """Return the message and its packet id (0 with QoS 0). Raises Malformed."""
    qos = flags >> 1 & 0x03
    topic = body.text()
    if qos > 1 or not topic or "+" in topic or "#" in topic:
        raise Malformed(f"cannot publish to {topic!r} with QoS {qos}")
    packet_id = body.number(2) if qos else 0
    numbers, raw = body.properties()
    if Property.TOPIC_ALIAS in numbers:
        raise Malformed("topic aliases were not offered")
    return Message(topic, body.rest, qos, bool(flags & 0x01), raw), packet_id


def packet(kind: Kind, body: bytes = b"", flags: int = 0) -> bytes:
    """Return a whole packet."""
    return bytes([kind << 4 | flags]) + varint(len(body)) + body


def publish(message: Message, qos: int, packet_id: int, duplicate: bool = False) -> bytes:
    """Return a PUBLISH."""
    flags = duplicate << 3 | qos << 1 | message.retain
    number = struct.pack(">H", packet_id) if qos else b""
    properties = varint(len(message.properties)) + message.properties
    return packet(Kind.PUBLISH, _text(message.topic) + number + properties + message.payload, flags)


def connack(session_present: bool, assigned_id: str) -> bytes:
    """Return a CONNACK that offers QoS 1 at most."""
    properties = bytes([Property.MAXIMUM_QOS, 1])
    if assigned_id:
        properties += bytes([Property.ASSIGNED_CLIENT_ID]) + _text(assigned_id)
    return packet(Kind.CONNACK, bytes([session_present, 0]) + varint(len(properties)) + properties)


def acknowledge(kind: Kind, packet_id: int, *codes: int) -> bytes:
    """Return a PUBACK, SUBACK or UNSUBACK."""
    properties = b"" if kind is Kind.PUBACK else b"\0"
    return packet(kind, struct.pack(">H", packet_id) + properties + bytes(codes))


def varint(value: int) -> bytes:
    """Return a variable byte integer."""
    out = bytearray()
    while True:
        value, byte = value >> 7, value & 0x7F
        out.append(byte | (0x80 if value else 0))
        if not value:
            return bytes(out)


def _text(text: str) -> bytes:
    data = text.encode()
    return struct.pack(">H", len(data)) + data


def valid_filter(pattern: str) -> bool:
    """Tell whether a topic filter is well formed."""
    levels = pattern.split("/")
    return (
        bool(pattern)
        and all(level in ("+", "#") or not set("+#") & set(level) for level in levels)
        and "#" not in levels[:-1]
    )


def matches(pattern: str, topic: str) -> bool:
    """Tell whether a topic is covered by a filter; wildcards do not cover topics that begin with ``$``."""
    if topic.startswith("$") and pattern[0] in "+#":
        return False
    wanted, levels = pattern.split("/"), topic.split("/")
    if wanted[-1] == "#":
        wanted = wanted[:-1]
        levels = levels[: len(wanted)]
    return len(wanted) == len(levels) and all(one in ("+", level) for one, level in zip(wanted, levels, strict=True))
