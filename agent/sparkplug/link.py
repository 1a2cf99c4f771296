"""One MQTT connection of an edge node: its death as will, nothing left over from a session before.

As in ``agent.uplink.link``: a fresh client for each connection, and paho's callbacks only hand over.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, NamedTuple

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from agent.sparkplug.options import SparkplugOptions
from agent.sparkplug.session import Message
from agent.uplink import tls
from agent.uplink.options import host_and_port, is_encrypted

CONNECT_LIMIT_S = 10.0
FAREWELL_LIMIT_S = 1.0
MOST_HEARD = 1000
"""Messages that wait to be looked at; beyond it new ones are left out, and counted."""
LONGEST_BODY = 1 << 16
"""In bytes; a command is far shorter."""


class LinkLost(Exception):  # noqa: N818 - a state, like NotConnected
    """The broker is gone; the session is over."""


class Heard(NamedTuple):
    """One message from the broker."""

    topic: str
    body: bytes
    retained: bool


class Link:
    """A connection to one broker. Not used again once it is lost.

    ``has_asked`` tells that a CONNECT may have been sent. ``missed`` counts messages that were left out.
    """

    def __init__(
        self, broker: str, options: SparkplugOptions, client_id: str, will: Message, papers: tls.Papers
    ) -> None:
        self.broker = broker
        self.has_asked = False
        self.missed = 0
        self.unsent = 0
        """Messages that were handed over and are not on the wire yet."""
        self._options = options
        self._loop = asyncio.get_running_loop()
        self._heard: asyncio.Queue[Heard | None] = asyncio.Queue()
        self._connected: asyncio.Future[None] = self._loop.create_future()
        self._waits: dict[int, asyncio.Future[None]] = {}
        self._lost = ""
        self._client = self._make_client(client_id, will, papers)

    async def open(self, topics: Sequence[str]) -> None:
        """Connect, and subscribe with QoS 1. Raises LinkLost with the reason."""
        host, port = host_and_port(self.broker)
        try:
            async with asyncio.timeout(CONNECT_LIMIT_S):
                await asyncio.to_thread(self._connect, host, port)
                self._client.loop_start()
                await self._connected
                _, mid = self._client.subscribe([(topic, 1) for topic in topics])
                await self._answer(mid)
        except TimeoutError:
            raise LinkLost(f"{self.broker}: no answer for {CONNECT_LIMIT_S:g} s") from None
        except (OSError, ValueError) as error:
            reason = tls.in_words(error) if is_encrypted(self.broker) else str(error)
            raise LinkLost(f"{self.broker}: {reason}") from error

    def publish(self, message: Message) -> None:
        """Send one message, with QoS 0. Raises LinkLost."""
        info = self._client.publish(message.topic, message.body)
        if info.rc != mqtt.MQTT_ERR_SUCCESS:
            raise LinkLost(f"{self.broker}: {mqtt.error_string(info.rc)}")
        self.unsent += 1

    async def heard(self, limit_s: float) -> list[Heard]:
        """Wait up to ``limit_s`` for messages; return all there are. Raises LinkLost."""
        try:
            async with asyncio.timeout(limit_s):
                found = [await self._heard.get()]
        except TimeoutError:
            return []
        while not self._heard.empty():
            found.append(self._heard.get_nowait())
        if None in found:
            raise LinkLost(f"{self.broker}: {self._lost}")
        return [each for each in found if each is not None]

    async def close(self, death: Message | None) -> bool:
        """End the connection, with a death first if there is one, and in MQTT 5 with the will as well.

        Tell whether the broker has confirmed the death.
        """
        is_confirmed = False
        if death is not None and self._connected.done() and not self._lost:
            with suppress(TimeoutError, OSError):
                async with asyncio.timeout(FAREWELL_LIMIT_S):
                    await self._answer(self._client.publish(death.topic, death.body, qos=1).mid)
                    is_confirmed = True
        if self._options.version == 5:
            self._client.disconnect(reasoncode=ReasonCode(PacketTypes.DISCONNECT, "Disconnect with will message"))
        else:
            self._client.disconnect()
        await asyncio.to_thread(self._client.loop_stop)
        return is_confirmed

    def _connect(self, host: str, port: int) -> None:
        keepalive = int(self._options.keepalive)
        if self._options.version != 5:
            self._client.connect(host, port, keepalive=keepalive)
        else:
            properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
            properties.SessionExpiryInterval = 0
            self._client.connect(host, port, keepalive=keepalive, clean_start=True, properties=properties)
        self.has_asked = True

    async def _answer(self, mid: int | None) -> None:
        """Wait for the broker's answer. Raises OSError when it refuses or is lost."""
        if mid is None or self._lost:
            raise ConnectionError(self._lost or "not connected")
        self._waits[mid] = wait = self._loop.create_future()
        await wait

    def _make_client(self, client_id: str, will: Message, papers: tls.Papers) -> mqtt.Client:
        is_5 = self._options.version == 5
        client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            clean_session=None if is_5 else True,
            protocol=mqtt.MQTTv5 if is_5 else mqtt.MQTTv311,
            reconnect_on_failure=False,
        )
        client.connect_timeout = CONNECT_LIMIT_S / 2
        client.will_set(will.topic, will.body, qos=1, retain=False)
        if self._options.username:
            client.username_pw_set(self._options.username, papers.secret)
        if papers.context is not None:
            client.tls_set_context(papers.context)
        client.on_connect, client.on_connect_fail = self._on_connect, self._on_connect_fail
        client.on_disconnect, client.on_message = self._on_disconnect, self._on_message
        client.on_subscribe, client.on_publish = self._on_subscribe, self._on_publish
        return client

    def _hand_over(self, callback: Any, *args: Any) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(callback, *args)

    def _on_connect(self, _client: mqtt.Client, _data: Any, _flags: Any, code: ReasonCode, _props: Any) -> None:
        self._hand_over(self._set_connected, code)

    def _on_connect_fail(self, _client: mqtt.Client, _data: Any) -> None:
        self._hand_over(self._set_lost, "connection failed")

    def _on_disconnect(self, _client: mqtt.Client, _data: Any, _flags: Any, code: ReasonCode, _props: Any) -> None:
        self._hand_over(self._set_lost, f"disconnected ({code})")

    def _on_message(self, _client: mqtt.Client, _data: Any, message: mqtt.MQTTMessage) -> None:
        self._hand_over(self._take, Heard(message.topic, bytes(message.payload), message.retain))

    def _on_subscribe(self, _client: mqtt.Client, _data: Any, mid: int, codes: list[ReasonCode], _props: Any) -> None:
        refused = next((code for code in codes if code.is_failure), None)
        self._hand_over(self._set_answered, mid, f"no subscription: {refused}" if refused is not None else "")

    def _on_publish(self, _client: mqtt.Client, _data: Any, mid: int, _code: ReasonCode, _props: Any) -> None:
        self._hand_over(self._set_published, mid)

    def _take(self, heard: Heard) -> None:
        if self._heard.qsize() < MOST_HEARD and len(heard.body) <= LONGEST_BODY:
            self._heard.put_nowait(heard)
        else:
            self.missed += 1

    def _set_connected(self, code: ReasonCode) -> None:
        if self._connected.done():
            return
        if code.is_failure:
            self._connected.set_exception(ConnectionRefusedError(f"the broker refuses: {code}"))
        else:
            self._connected.set_result(None)

    def _set_published(self, mid: int) -> None:
        self.unsent = max(0, self.unsent - 1)
        self._set_answered(mid, "")

    def _set_answered(self, mid: int, refusal: str) -> None:
        wait = self._waits.pop(mid, None)
        if wait is None or wait.done():
            return
        if refusal:
            wait.set_exception(ConnectionRefusedError(refusal))
        else:
            wait.set_result(None)

    def _set_lost(self, reason: str) -> None:
        self._lost = self._lost or reason
        for wait in (self._connected, *self._waits.values()):
            if not wait.done():
                wait.set_exception(ConnectionError(reason))
        self._heard.put_nowait(None)
