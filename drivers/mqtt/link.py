"""A connection to a broker. paho runs it in a thread of its own; what it tells comes to the loop."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

import paho.mqtt.client as mqtt
import structlog
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from agent.core.errors import NotConnected, Refused
from drivers.mqtt.inbox import Inbox, OnMessage
from drivers.mqtt.options import MqttDevice

log = structlog.get_logger(__name__)
_FAILURE = 0x80
"""Reason codes from here on are refusals (MQTT 5, 2.4)."""
_PORTS = {"mqtt": 1883, "mqtts": 8883, "ws": 80, "wss": 443}
_CHUNK = 8
"""Topics in one request to subscribe: some brokers take no more."""
_LARGEST = 1024 * 1024
"""Octets of a message; the broker keeps larger ones to itself (MQTT 5)."""


class _Client(mqtt.Client):
    """paho's client, in the thread that paho starts: only then it writes from that thread alone, as TLS demands."""

    on_end: Callable[[Exception | None], None]

    def loop_forever(self, timeout: float = 1.0, retry_first_connection: bool = False) -> MQTTErrorCode:  # noqa: ARG002
        """Connect, and serve the connection until it ends. paho raises for some broken packets."""
        fault: Exception | None = None
        try:
            return super().loop_forever(timeout, retry_first_connection=False)
        except Exception as error:  # noqa: BLE001 - the thread's main: its end must be told, whatever it was
            fault = error
            return MQTTErrorCode.MQTT_ERR_CONN_LOST
        finally:
            self.on_end(fault)


class Link:
    """Not used again after it was lost. ``on_message`` is called on the loop with topic, payload and retained."""

    def __init__(
        self, device: MqttDevice, client_id: str, on_message: OnMessage, on_lost: Callable[[str], None]
    ) -> None:
        self._device, self._on_lost = device, on_lost
        self._inbox = Inbox(on_message)
        self._loop = asyncio.get_running_loop()
        self._connected: asyncio.Future[None] = self._loop.create_future()
        self._waiting: dict[int, asyncio.Future[int]] = {}
        self._subscribed: dict[int, asyncio.Future[list[int]]] = {}
        self._ended = asyncio.Event()
        self._is_reached = self._is_closed = self._is_overrun = False
        self._client = self._make(client_id)

    async def open(self) -> None:
        """Connect within the device's timeout. Raises NotConnected."""
        where = urlsplit(self._device.broker)
        host, port = where.hostname or "", where.port or _PORTS[where.scheme]
        self._client.connect_async(host, port, int(self._device.keepalive), **self._session())
        self._client.loop_start()
        await self._within(self._connected)

    async def subscribe(self, topics: Sequence[str]) -> dict[str, str]:
        """Subscribe with QoS 1; return the topics that the broker refuses, and why. Raises NotConnected."""
        chunks = [topics[begin : begin + _CHUNK] for begin in range(0, len(topics), _CHUNK)]
        asked = [(chunk, self._ask_for(chunk)) for chunk in chunks]
        await self._within(asyncio.gather(*(answer for _, answer in asked)))
        codes = {topic: code for chunk, answer in asked for topic, code in zip(chunk, answer.result(), strict=False)}
        return {
            topic: f"the broker refuses the subscription (reason {code:#x})"
            for topic, code in codes.items()
            if code >= _FAILURE
        }

    def _ask_for(self, topics: Sequence[str]) -> asyncio.Future[list[int]]:
        status, number = self._client.subscribe([(topic, 1) for topic in topics])
        if status != mqtt.MQTT_ERR_SUCCESS or number is None:
            raise NotConnected(f"{self._device.broker}: {mqtt.error_string(status)}")
        answer = self._subscribed[number] = self._loop.create_future()
        return answer

    async def publish(self, topic: str, payload: str) -> None:
        """Publish with QoS 1, and return when the broker took it. Raises NotConnected, Refused."""
        info = self._client.publish(topic, payload, qos=1)
        if info.rc != mqtt.MQTT_ERR_SUCCESS:
            raise NotConnected(f"{self._device.broker}: {mqtt.error_string(info.rc)}")
        answer = self._waiting.setdefault(info.mid, self._loop.create_future())
        try:
            code = await self._within(answer)
        finally:
            self._waiting.pop(info.mid, None)
        if code >= _FAILURE:
            raise Refused(f"the broker refuses {topic} (reason {code:#x})")

    async def close(self) -> None:
        """Say good-bye, and end the thread; one that still looks for the broker ends by itself, within its timeout."""
        self._is_closed = True
        self._client.disconnect()
        with suppress(TimeoutError):
            async with asyncio.timeout(0.8 if self._is_reached else 0.0):
                await self._ended.wait()

    async def _within(self, answer: asyncio.Future[Any]) -> Any:
        try:
            async with asyncio.timeout(self._device.timeout):
                return await answer
        except TimeoutError as error:
            raise NotConnected(f"no answer from {self._device.broker} within {self._device.timeout:g} s") from error

    def _make(self, client_id: str) -> mqtt.Client:
        where = urlsplit(self._device.broker)
        is_web = where.scheme in ("ws", "wss")
        is_old = self._device.version == "3.1.1"
        client = _Client(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            clean_session=not self._device.session if is_old else None,
            protocol=mqtt.MQTTv311 if is_old else mqtt.MQTTv5,
            transport="websockets" if is_web else "tcp",
            reconnect_on_failure=False,
        )
        if is_web:
            client.ws_set_options(path=where.path or "/mqtt")
        client.connect_timeout = self._device.timeout
        self._secure(client, where.scheme)
        client.on_end, client.on_socket_open = self._on_end, self._on_socket
        client.on_connect, client.on_disconnect = self._on_connect, self._on_disconnect
        client.on_message, client.on_publish, client.on_subscribe = (
            self._on_arrival,
            self._on_publish,
            self._on_subscribe,
        )
        return client

    def _session(self) -> dict[str, Any]:
        if self._device.version == "3.1.1":
            return {}
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.MaximumPacketSize = _LARGEST
        if self._device.session:
            properties.SessionExpiryInterval = int(self._device.session)
        return {"clean_start": not self._device.session, "properties": properties}

    def _secure(self, client: mqtt.Client, scheme: str) -> None:
        try:
            if self._device.username:
                secret = self._device.password
                client.username_pw_set(self._device.username, secret.read() if secret is not None else None)
            if scheme in ("mqtts", "wss"):
                context = ssl.create_default_context(cafile=self._device.ca)
                if self._device.certificate is not None:
                    context.load_cert_chain(self._device.certificate, self._device.key)
                client.tls_set_context(context)
        except (OSError, ValueError) as error:
            raise NotConnected(f"{self._device.broker}: {error}") from error

    # What follows is called in the thread.

    def _on_end(self, error: Exception | None) -> None:
        broker = self._device.broker
        if error is None:
            reason = f"{broker}: the connection ended"
        elif self._is_reached:
            reason = f"{broker}: it sent nonsense ({type(error).__name__})"
        else:
            reason = f"no connection to {broker}: {error}"
        self._tell(self._lose, reason)
        self._tell(self._ended.set)

    def _on_socket(self, _client: object, _data: object, opened: Any) -> None:
        self._is_reached = True
        with socket.socket(fileno=os.dup(opened.fileno())) as twin:  # what paho opened may be wrapped
            twin.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # else a write waits 40 ms behind our own acks

    def _on_connect(self, client: mqtt.Client, _data: object, _flags: object, code: Any, _properties: object) -> None:
        if self._is_closed:
            client.disconnect()
        fault = f"{self._device.broker} refuses us: {code}" if code.is_failure else ""
        self._tell(self._answer_connect, fault)

    def _on_disconnect(self, _client: object, _data: object, _flags: object, code: Any, _properties: object) -> None:
        self._tell(self._lose, f"{self._device.broker}: connection lost ({code})")

    def _on_arrival(self, _client: object, _data: object, message: mqtt.MQTTMessage) -> None:
        if self._inbox.put(message.topic, bytes(message.payload), message.retain):
            self._tell(self._drain)

    def _on_publish(self, _client: object, _data: object, number: int, code: Any, _properties: object) -> None:
        self._tell(self._answer_publish, number, code.value)

    def _on_subscribe(self, _client: object, _data: object, number: int, codes: Any, _properties: object) -> None:
        self._tell(self._answer_subscribe, number, [code.value for code in codes])

    def _tell(self, what: Callable[..., None], *words: object) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(what, *words)

    # What follows is called on the loop.

    def _drain(self) -> None:
        if self._is_closed:
            return
        again_s = self._inbox.drain()
        if again_s is not None:
            self._loop.call_later(again_s, self._drain)
        lost = self._inbox.lost()
        if lost and not self._is_overrun:
            self._is_overrun = True
            log.warning("more messages than can be judged; only the newest of each topic", broker=self._device.broker)

    def _answer_connect(self, fault: str) -> None:
        if self._connected.done():
            return
        if fault:
            self._connected.set_exception(NotConnected(fault))
        else:
            self._connected.set_result(None)

    def _answer_publish(self, number: int, code: int) -> None:
        answer = self._waiting.setdefault(number, self._loop.create_future())
        if not answer.done():
            answer.set_result(code)

    def _answer_subscribe(self, number: int, codes: list[int]) -> None:
        answer = self._subscribed.pop(number, None)
        if answer is not None and not answer.done():
            answer.set_result(codes)

    def _lose(self, reason: str) -> None:
        answers: list[asyncio.Future[Any]] = [self._connected, *self._waiting.values(), *self._subscribed.values()]
        for answer in answers:
            if not answer.done():
                answer.set_exception(NotConnected(reason))
                answer.exception()  # it may be that nobody waits for it any more
        self._on_lost(reason)
