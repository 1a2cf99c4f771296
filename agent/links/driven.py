"""A paho client that lives in the event loop. It has no thread, so nothing crosses between threads for each message.

paho calls back while it holds its own locks, re-sends old messages of a client that is used again and
ignores Receive Maximum (RELIABILITY R5, R6). Hence: a fresh client for each connection, callbacks that
only note what they are told, and a window that is kept by the caller.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple, cast

import paho.mqtt.client as mqtt
from paho.mqtt.properties import Properties, VariableByteIntegers, writeUTF
from paho.mqtt.reasoncodes import ReasonCode

_TICK_S = 1.0
"""How often paho looks whether it must ping, and whether the last ping was answered."""
_CONTENT_TYPE, _USER_PROPERTY = b"\x03", b"\x26"


def packed(content_type: str, user: Sequence[tuple[str, str]]) -> Properties:
    """Return what stands beside a published body (MQTT 5, 3.3.2.3): a content type, and names with their values.

    Of a message's properties paho asks for their bytes only, and its own class takes ten times as long to make them.
    """
    parts = [_CONTENT_TYPE, _utf8(content_type)]
    for name, value in user:
        parts += (_USER_PROPERTY, _utf8(name), _utf8(value))
    found = b"".join(parts)
    return cast(Properties, _Packed(bytes(VariableByteIntegers.encode(len(found))) + found))  # type: ignore[no-untyped-call]


@lru_cache(maxsize=256)
def _utf8(text: str) -> bytes:
    return bytes(writeUTF(text))  # type: ignore[no-untyped-call]


class _Packed(NamedTuple):
    octets: bytes

    def pack(self) -> bytes:
        return self.octets


class Driven:
    """Moves the bytes of one client, for one connection. All of its callbacks but ``on_log`` come in the event loop."""

    def __init__(self, client: mqtt.Client) -> None:
        self.has_asked = False
        """Whether a CONNECT may have been sent."""
        self._client = client
        self._loop = asyncio.get_running_loop()
        self._is_over = False
        self._ticks: asyncio.TimerHandle | None = None

    async def connect(self, host: str, port: int, keepalive_s: int, properties: Properties | None) -> None:
        """Open the connection, and send CONNECT, in MQTT 5 with ``properties``. Raises OSError, ValueError.

        Names, TCP, TLS and the WebSocket's handshake may block: that much is done in a thread.
        """
        await asyncio.to_thread(self._dial, host, port, keepalive_s, properties)
        sock = self._client.socket()
        if self._is_over or sock is None:
            raise ConnectionError("the connection was closed at once")
        self._client.on_socket_close = self._closed
        self._client.on_socket_register_write = self._wants_to_write
        self._client.on_socket_unregister_write = self._has_written
        if hasattr(sock, "_create_frame"):
            sock._create_frame = _frame  # paho's takes 0.1 s for a MB, and alarms would wait for it
        self._loop.add_reader(sock.fileno(), self._read)
        if self._client.want_write():
            self._loop.add_writer(sock.fileno(), self._client.loop_write)
        self._tick()

    def close(self, reason: ReasonCode | None = None) -> None:
        """Say goodbye as MQTT has it, in MQTT 5 with a reason, as far as the other end takes it now, and close."""
        self._is_over = True
        if self._ticks is not None:
            self._ticks.cancel()
        self._client.disconnect(reason)
        self._client.loop_write()
        sock = self._client.socket()
        if sock is not None:  # it does not even take a goodbye
            self._closed(self._client, None, sock)
            sock.close()

    def _dial(self, host: str, port: int, keepalive_s: int, properties: Properties | None) -> None:
        told, self._client.on_disconnect = self._client.on_disconnect, None  # it would be called in this thread
        if properties is not None:
            self._client.connect(host, port, keepalive_s, clean_start=True, properties=properties)
        else:
            self._client.connect(host, port, keepalive_s)
        self.has_asked = True
        self._client.on_disconnect = told
        if self._is_over:  # who waited has gone: nobody may be left connected under our name
            self._client.disconnect()

    def _read(self) -> None:
        self._client.loop_read()
        sock = self._client.socket()
        if sock is not None and hasattr(sock, "pending") and sock.pending():
            self._loop.call_soon(self._read)  # TLS has read more than we have; nobody would wake us for that

    def _tick(self) -> None:
        self._client.loop_misc()
        if not self._is_over:
            self._ticks = self._loop.call_later(_TICK_S, self._tick)

    def _wants_to_write(self, client: mqtt.Client, _data: Any, sock: Any) -> None:
        self._loop.add_writer(sock.fileno(), client.loop_write)

    def _has_written(self, _client: mqtt.Client, _data: Any, sock: Any) -> None:
        if sock.fileno() >= 0:
            self._loop.remove_writer(sock.fileno())

    def _closed(self, _client: mqtt.Client, _data: Any, sock: Any) -> None:
        self._is_over = True
        if sock.fileno() >= 0:
            self._loop.remove_reader(sock.fileno())
            self._loop.remove_writer(sock.fileno())


def _frame(opcode: int, data: bytes | bytearray, do_masking: int = 1) -> bytearray:
    """Return a WebSocket's frame (RFC 6455, 5.2); what a client sends is masked."""
    size, masked = len(data), do_masking << 7
    head = bytearray((0x80 | opcode,))
    if size < 126:
        head.append(masked | size)
    elif size < 1 << 16:
        head += bytes((masked | 126,)) + size.to_bytes(2, "big")
    else:
        head += bytes((masked | 127,)) + size.to_bytes(8, "big")
    if not do_masking:
        return head + data
    key = os.urandom(4)
    mask = int.from_bytes((key * (size // 4 + 1))[:size], "big")
    return head + key + (int.from_bytes(data, "big") ^ mask).to_bytes(size, "big")
