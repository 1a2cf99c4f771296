"""A broker that answers as it is told: PUBACK reason codes, Receive Maximum, silence."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

CONNECT, CONNACK, PUBLISH, PUBACK, PINGREQ = 1, 2, 3, 4, 12


class FakeBroker:
    """``answer(body)`` returns a PUBACK reason code, or None for no answer at all; it comes after ``delay_s``."""

    def __init__(self, answer: Callable[[bytes], int | None], receive_maximum: int = 0, delay_s: float = 0.01) -> None:
        self.bodies: list[bytes] = []
        self.most_in_flight = 0
        self._in_flight = 0
        self._answer, self._maximum, self._delay_s = answer, receive_maximum, delay_s
        self._server: asyncio.Server | None = None
        self._writers: list[asyncio.StreamWriter] = []

    async def __aenter__(self) -> int:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return int(self._server.sockets[0].getsockname()[1])

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        for writer in self._writers:
            writer.close()
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        try:
            while True:
                kind = (await reader.readexactly(1))[0]
                body = await reader.readexactly(await _length(reader))
                self._packet(kind >> 4, body, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    def _packet(self, kind: int, body: bytes, writer: asyncio.StreamWriter) -> None:
        if kind == CONNECT:
            properties = b"\x21" + self._maximum.to_bytes(2, "big") if self._maximum else b""
            _send(writer, CONNACK, b"\0\0" + bytes([len(properties)]) + properties)
        elif kind == PINGREQ:
            _send(writer, 13, b"")
        elif kind == PUBLISH:
            self._publish(body, writer)

    def _publish(self, body: bytes, writer: asyncio.StreamWriter) -> None:
        topic_end = 2 + int.from_bytes(body[:2], "big")
        mid, rest = body[topic_end : topic_end + 2], body[topic_end + 2 :]
        is_event = b"/evt/" in body[2:topic_end]
        code: int | None = 0
        self._in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self._in_flight)
        if is_event:
            self.bodies.append(rest)
            code = self._answer(rest)
        if code is not None:
            asyncio.get_running_loop().call_later(self._delay_s, self._acknowledge, writer, mid, code, is_event)

    def _acknowledge(self, writer: asyncio.StreamWriter, mid: bytes, code: int, is_event: bool) -> None:
        self._in_flight -= 1
        _send(writer, PUBACK, mid + bytes([code, 0]))


async def _length(reader: asyncio.StreamReader) -> int:
    value, shift = 0, 0
    while True:
        octet = (await reader.readexactly(1))[0]
        value |= (octet & 0x7F) << shift
        shift += 7
        if octet < 0x80:
            return value


def _send(writer: asyncio.StreamWriter, kind: int, body: bytes) -> None:
    if not writer.is_closing():
        writer.write(bytes([kind << 4, len(body)]) + body)
