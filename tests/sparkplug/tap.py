"""A wire between the edge node and its broker that writes down every MQTT packet, and that can be cut."""

from __future__ import annotations

import asyncio
import struct
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

CONNECT, PUBLISH, SUBSCRIBE, DISCONNECT = 1, 3, 8, 14
NO_REASON = -1


@dataclass(frozen=True)
class Packet:
    """What the node sent. Fields that a packet does not have keep their defaults."""

    kind: int
    connection: int
    at_s: float
    topic: str = ""
    body: bytes = b""
    qos: int = 0
    retain: bool = False
    clean: bool = False
    session_expiry_s: int = 0
    has_will: bool = False
    version: int = 0
    topics: tuple[tuple[str, int], ...] = ()
    reason: int = NO_REASON

    @property
    def verb(self) -> str:
        parts = self.topic.split("/")
        return parts[2] if self.kind == PUBLISH and len(parts) > 3 else ""


@dataclass
class Connection:
    """One connection to ``port``, from when it was made to when it ended (monotonic seconds, None: it lasts)."""

    number: int
    port: int
    begun_s: float
    ended_s: float | None = None
    version: int = 5
    cut: Callable[[], None] = field(default=lambda: None, repr=False)


class Tap:
    """Listens on ``port`` and passes everything on to the broker."""

    def __init__(self, broker_port: int) -> None:
        self.port = 0
        self.packets: list[Packet] = []
        self.connections: list[Connection] = []
        self._broker_port = broker_port

    def cut(self) -> None:
        """Cut the newest connection, without a word to either side."""
        self.connections[-1].cut()

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Tap]:
        server = await asyncio.start_server(self._connected, "127.0.0.1", self.port)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            for connection in self.connections:
                connection.cut()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", self._broker_port)
        connection = Connection(len(self.connections), self.port, time.monotonic())
        self.connections.append(connection)

        def cut() -> None:
            writer.transport.abort()
            back.transport.abort()

        connection.cut = cut
        passing = asyncio.create_task(_pass_on(there, writer))
        try:
            with suppress(OSError, asyncio.IncompleteReadError):
                while True:
                    await self._packet(reader, back, connection)
        finally:
            connection.ended_s = time.monotonic()
            back.close()
            writer.close()
            await asyncio.gather(passing, return_exceptions=True)

    async def _packet(self, reader: asyncio.StreamReader, back: asyncio.StreamWriter, connection: Connection) -> None:
        head = await reader.readexactly(1)
        length, octets = 0, b""
        while not octets or octets[-1] & 0x80:
            octets += await reader.readexactly(1)
            length |= (octets[-1] & 0x7F) << 7 * (len(octets) - 1)
        body = await reader.readexactly(length)
        packet = _read(head[0] >> 4, head[0] & 15, body, connection)
        if packet is not None:
            self.packets.append(packet)
        back.write(head + octets + body)
        await back.drain()


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while octets := await reader.read(65536):
            writer.write(octets)
            await writer.drain()
    writer.close()


class _Reader:
    def __init__(self, octets: bytes) -> None:
        self.rest = octets

    def take(self, count: int) -> bytes:
        taken, self.rest = self.rest[:count], self.rest[count:]
        return taken

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "big")

    def text(self) -> bytes:
        return self.take(self.number(2))

    def properties(self, version: int) -> bytes:
        return self.take(self.number(1)) if version == 5 else b""


def _read(kind: int, flags: int, body: bytes, connection: Connection) -> Packet | None:
    reader, now_s = _Reader(body), time.monotonic()
    if kind == CONNECT:
        return _connect(reader, connection, now_s)
    if kind == PUBLISH:
        qos, topic = flags >> 1 & 3, reader.text().decode()
        reader.take(2 if qos else 0)
        reader.properties(connection.version)
        return Packet(kind, connection.number, now_s, topic, reader.rest, qos, bool(flags & 1))
    if kind == SUBSCRIBE:
        reader.take(2)
        reader.properties(connection.version)
        topics = []
        while reader.rest:
            topics.append((reader.text().decode(), reader.number(1) & 3))
        return Packet(kind, connection.number, now_s, topics=tuple(topics))
    if kind == DISCONNECT:
        reason = body[0] if body else 0 if connection.version == 5 else NO_REASON
        return Packet(kind, connection.number, now_s, reason=reason)
    return None


def _connect(reader: _Reader, connection: Connection, now_s: float) -> Packet:
    reader.text()
    connection.version, flags = reader.number(1), reader.number(1)
    reader.take(2)
    properties = reader.properties(connection.version)
    expiry_s = struct.unpack(">I", properties[1:5])[0] if properties[:1] == b"\x11" else 0
    reader.text()
    has_will = bool(flags & 4)
    if has_will:
        reader.properties(connection.version)
    topic, body = (reader.text().decode(), reader.text()) if has_will else ("", b"")
    return Packet(
        CONNECT,
        connection.number,
        now_s,
        topic,
        body,
        flags >> 3 & 3,
        bool(flags & 0x20),
        clean=bool(flags & 2),
        session_expiry_s=expiry_s,
        has_will=has_will,
        version=connection.version,
    )
