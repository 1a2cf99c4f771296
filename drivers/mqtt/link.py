"""A connection to a broker. paho runs it in a thread of its own; what it tells comes to the loop."""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlsplit

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from agent.core.errors import NotConnected, Refused
from drivers.mqtt.options import MqttDevice

_FAILURE = 0x80
"""Reason codes from here on are refusals (MQTT 5, 2.4)."""
_PORTS = {"mqtt": 1883, "mqtts": 8883, "ws": 80, "wss": 443}
OnMessage = Callable[[str, bytes, bool], None]


class Link:
    """Not used again after it was lost. ``on_message`` is called on the loop with topic, payload and retained."""

    def __init__(
        self, device: MqttDevice, client_id: str, on_message: OnMessage, on_lost: Callable[[str], None]
    ) -> None:
        self._device, self._on_message, self._on_lost = device, on_message, on_lost
        self._loop = asyncio.get_running_loop()
        self._connected: asyncio.Future[None] = self._loop.create_future()
        self._waiting: dict[int, asyncio.Future[int]] = {}
        self._subscribed: dict[int, asyncio.Future[list[int]]] = {}
        self._client = self._make(client_id)
        self._thread = threading.Thread(target=self._run, name=f"mqtt {client_id}", daemon=True)

    async def open(self) -> None:
        """Connect within the device's timeout. Raises NotConnected."""
        where = urlsplit(self._device.broker)
        host, port = where.hostname or "", where.port or _PORTS[where.scheme]
        try:
            async with asyncio.timeout(self._device.timeout):
                await asyncio.to_thread(self._client.connect, host, port, int(self._device.keepalive))
                self._thread.start()
                await self._connected
        except TimeoutError as error:
            raise NotConnected(f"no answer from {self._device.broker} within {self._device.timeout:g} s") from error
        except (OSError, ValueError) as error:
            raise NotConnected(f"no connection to {self._device.broker}: {error}") from error

    async def subscribe(self, topics: Sequence[str]) -> dict[str, str]:
        """Subscribe with QoS 1; return the topics that the broker refuses, and why. Raises NotConnected."""
        refused: dict[str, str] = {}
        for topic in topics:
            answer: asyncio.Future[list[int]] = self._loop.create_future()
            status, number = self._client.subscribe(topic, qos=1)
            if status != mqtt.MQTT_ERR_SUCCESS or number is None:
                raise NotConnected(f"{self._device.broker}: {mqtt.error_string(status)}")
            self._subscribed[number] = answer
            codes = await self._within(answer)
            if codes[0] >= _FAILURE:
                refused[topic] = f"the broker refuses the subscription (reason {codes[0]:#x})"
        return refused

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
        """Say good-bye, and end the thread."""
        self._client.disconnect()
        if self._thread.is_alive():
            await asyncio.to_thread(self._thread.join, 0.8)

    async def _within(self, answer: asyncio.Future[Any]) -> Any:
        try:
            async with asyncio.timeout(self._device.timeout):
                return await answer
        except TimeoutError as error:
            raise NotConnected(f"no answer from {self._device.broker} within {self._device.timeout:g} s") from error

    def _make(self, client_id: str) -> mqtt.Client:
        where = urlsplit(self._device.broker)
        is_web = where.scheme in ("ws", "wss")
        client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            protocol=mqtt.MQTTv5,
            transport="websockets" if is_web else "tcp",
            reconnect_on_failure=False,
        )
        if is_web:
            client.ws_set_options(path=where.path or "/mqtt")
        client.connect_timeout = self._device.timeout
        self._secure(client, where.scheme)
        client.on_connect, client.on_disconnect = self._on_connect, self._on_disconnect
        client.on_message, client.on_publish, client.on_subscribe = (
            self._on_arrival,
            self._on_publish,
            self._on_subscribe,
        )
        return client

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

    def _run(self) -> None:
        """Serve the connection until it ends. paho raises for some broken packets; then it is of no use any more."""
        reason = "the connection ended"
        try:
            self._client.loop_forever(retry_first_connection=False)
        except Exception as error:  # noqa: BLE001 - the thread's main: its end must be told, whatever it was
            reason = f"it sent nonsense ({type(error).__name__})"
        self._tell(self._lose, f"{self._device.broker}: {reason}")

    def _on_connect(self, _client: object, _data: object, _flags: object, code: Any, _properties: object) -> None:
        fault = f"{self._device.broker} refuses us: {code}" if code.is_failure else ""
        self._tell(self._answer_connect, fault)

    def _on_disconnect(self, _client: object, _data: object, _flags: object, code: Any, _properties: object) -> None:
        self._tell(self._lose, f"{self._device.broker}: connection lost ({code})")

    def _on_arrival(self, _client: object, _data: object, message: mqtt.MQTTMessage) -> None:
        self._tell(self._on_message, message.topic, bytes(message.payload), message.retain)

    def _on_publish(self, _client: object, _data: object, number: int, code: Any, _properties: object) -> None:
        self._tell(self._answer_publish, number, code.value)

    def _on_subscribe(self, _client: object, _data: object, number: int, codes: Any, _properties: object) -> None:
        self._tell(self._answer_subscribe, number, [code.value for code in codes])

    def _tell(self, what: Callable[..., None], *words: object) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(what, *words)

    # What follows is called on the loop.

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
