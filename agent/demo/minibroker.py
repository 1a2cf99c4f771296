"""A small MQTT 5 broker on loopback, for the demo where mosquitto is absent: QoS 0 and 1, retained messages,
wills (sent without delay), sessions that outlive their connection but not this process.

It ends in order: publishers are cut off first, then what they sent is delivered, then the rest ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import signal
import sys
import uuid
from collections import deque
from dataclasses import dataclass, field, replace

from agent.demo.mqtt_wire import (
    Connect,
    Cursor,
    Kind,
    Malformed,
    Message,
    Property,
    acknowledge,
    connack,
    matches,
    packet,
    parse_connect,
    parse_publish,
    publish,
    read_packet,
    valid_filter,
)

_SUCCESS, _NO_SUBSCRIBERS, _NO_SUBSCRIPTION, _WITH_WILL = 0x00, 0x10, 0x11, 0x04
_MALFORMED, _SHUTTING_DOWN, _TAKEN_OVER, _BAD_FILTER = 0x81, 0x8B, 0x8E, 0x8F
_DRAIN_S = 1.0


@dataclass
class Session:
    """What is known of one client; ``writer`` is None while it is away."""

    client_id: str
    writer: asyncio.StreamWriter | None = None
    lasting: bool = False
    window: int = 65535
    subscriptions: dict[str, int] = field(default_factory=dict)
    queue: deque[Message] = field(default_factory=deque)
    inflight: dict[int, Message] = field(default_factory=dict)
    will: Message | None = None
    _ids: itertools.cycle[int] = field(default_factory=lambda: itertools.cycle(range(1, 65536)))

    def resume(self) -> None:
        """Send again what was not acknowledged, and go on."""
        for number, message in self.inflight.items():
            self._send(publish(message, 1, number, duplicate=True))
        self.pump()

    def deliver(self, message: Message, qos: int) -> None:
        """Hand over a message: at once, or later when the client is away and wants it with QoS 1."""
        if min(qos, message.qos) == 0:
            self._send(publish(message, 0, 0))
        elif self.writer is not None or self.lasting:
            self.queue.append(message)
            self.pump()

    def pump(self) -> None:
        """Send as much as the client's window takes."""
        while self.writer is not None and self.queue and len(self.inflight) < self.window:
            number = next(one for one in self._ids if one not in self.inflight)
            self.inflight[number] = self.queue.popleft()
            self._send(publish(self.inflight[number], 1, number))

    def close(self, reason: int) -> None:
        """Say why, and hang up."""
        self._send(packet(Kind.DISCONNECT, bytes([reason, 0])))
        if self.writer is not None:
            self.writer.close()
            self.writer = None

    def _send(self, data: bytes) -> None:
        if self.writer is not None and not self.writer.is_closing():
            self.writer.write(data)


class Broker:
    """Sessions and retained messages; one coroutine for each connection."""

    def __init__(self) -> None:
        self.sessions: dict[str, Session] = {}
        self.retained: dict[str, Message] = {}
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    async def start(self, port: int) -> None:
        """Listen on loopback."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", port)

    async def stop(self) -> None:
        """Cut off publishers, deliver what they sent (for a second at most), end."""
        assert self._server is not None
        self._server.close()
        for session in list(self.sessions.values()):
            if not session.subscriptions:
                session.close(_SHUTTING_DOWN)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_DRAIN_S):
                while any(one.writer and (one.inflight or one.queue) for one in self.sessions.values()):
                    await asyncio.sleep(0.01)
        for session in list(self.sessions.values()):
            session.close(_SHUTTING_DOWN)
        for writer in list(self._writers):
            writer.close()
        await asyncio.sleep(0.05)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            await self._converse(reader, writer)
        except Malformed:
            writer.write(packet(Kind.DISCONNECT, bytes([_MALFORMED, 0])))
        except (OSError, asyncio.IncompleteReadError, TimeoutError):
            pass
        finally:
            writer.close()
            self._writers.discard(writer)
            self._gone(writer)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with asyncio.timeout(10):
            kind, _, body = await read_packet(reader)
        if kind != Kind.CONNECT:
            raise Malformed("the first packet must be CONNECT")
        connect = parse_connect(body)
        session = self._connect(connect, writer)
        limit_s = connect.keepalive_s * 1.5 or None
        while session.writer is writer:
            async with asyncio.timeout(limit_s):
                kind, flags, body = await read_packet(reader)
            if session.writer is not writer:  # taken over, or ended, while this packet came
                return
            if kind == Kind.DISCONNECT:
                self._disconnect(session, body)
                return
            self._handle(session, kind, flags, body)
            await writer.drain()

    def _connect(self, connect: Connect, writer: asyncio.StreamWriter) -> Session:
        assigned = "" if connect.client_id else uuid.uuid4().hex
        client_id = connect.client_id or assigned
        old = self.sessions.get(client_id)
        if old is not None:
            old.close(_TAKEN_OVER)
        present = old is not None and not connect.clean_start
        session = old if old is not None and present else Session(client_id)
        self.sessions[client_id] = session
        session.writer, session.will = writer, connect.will
        session.lasting = connect.properties.get(Property.SESSION_EXPIRY, 0) > 0
        session.window = connect.properties.get(Property.RECEIVE_MAXIMUM, 65535)
        writer.write(connack(present, assigned))
        session.resume()
        return session

    def _disconnect(self, session: Session, body: Cursor) -> None:
        reason = body.number(1) if body.rest else _SUCCESS
        if reason != _WITH_WILL:
            session.will = None

    def _gone(self, writer: asyncio.StreamWriter) -> None:
        """Forget the connection, and the session too unless it lasts; send the will of one that died."""
        session = next((one for one in self.sessions.values() if one.writer is writer), None)
        if session is None:
            return
        session.writer = None
        if not session.lasting:
            del self.sessions[session.client_id]
        if session.will is not None:
            self._publish(session.will)
            session.will = None

    def _handle(self, session: Session, kind: int, flags: int, body: Cursor) -> None:
        assert session.writer is not None
        if kind == Kind.PUBLISH:
            message, number = parse_publish(flags, body)
            code = _SUCCESS if self._publish(message) else _NO_SUBSCRIBERS
            if message.qos:
                session.writer.write(acknowledge(Kind.PUBACK, number, code))
        elif kind == Kind.PUBACK:
            session.inflight.pop(body.number(2), None)
            session.pump()
        elif kind == Kind.SUBSCRIBE and flags == 0x02:
            self._subscribe(session, body)
        elif kind == Kind.UNSUBSCRIBE and flags == 0x02:
            self._unsubscribe(session, body)
        elif kind == Kind.PINGREQ:
            session.writer.write(packet(Kind.PINGRESP))
        else:
            raise Malformed(f"packet type {kind} does not belong here")

    def _publish(self, message: Message) -> int:
        """Hand ``message`` to everyone who wants it; return how many do."""
        if message.retain and message.payload:
            self.retained[message.topic] = message
        elif message.retain:
            self.retained.pop(message.topic, None)
        live, count = replace(message, retain=False), 0
        for session in self.sessions.values():
            granted = [qos for pattern, qos in session.subscriptions.items() if matches(pattern, message.topic)]
            if granted:
                session.deliver(live, max(granted))
                count += 1
        return count

    def _subscribe(self, session: Session, body: Cursor) -> None:
        assert session.writer is not None
        number, codes, asked = body.number(2), list[int](), list[tuple[str, int]]()
        body.properties()
        while body.rest:
            pattern, qos = body.text(), min(body.number(1) & 0x03, 1)
            valid = valid_filter(pattern)
            codes.append(qos if valid else _BAD_FILTER)
            if valid:
                asked.append((pattern, qos))
        session.subscriptions.update(asked)
        session.writer.write(acknowledge(Kind.SUBACK, number, *codes))
        for pattern, qos in asked:
            for message in self.retained.values():
                if matches(pattern, message.topic):
                    session.deliver(message, qos)

    def _unsubscribe(self, session: Session, body: Cursor) -> None:
        assert session.writer is not None
        number, codes = body.number(2), list[int]()
        body.properties()
        while body.rest:
            known = session.subscriptions.pop(body.text(), None)
            codes.append(_NO_SUBSCRIPTION if known is None else _SUCCESS)
        session.writer.write(acknowledge(Kind.UNSUBACK, number, *codes))


async def serve(port: int) -> None:
    """Serve until SIGTERM."""
    ending = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ending.set)
    broker = Broker()
    await broker.start(port)
    await ending.wait()
    await broker.stop()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))
