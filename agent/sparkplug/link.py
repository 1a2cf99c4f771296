"""One MQTT connection of an edge node: its death as will, nothing left over from a session before.

paho's callbacks come in the event loop, and only note what they are told; see ``agent.links.driven``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, NamedTuple

import paho.mqtt.client as mqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from agent.links import tls
from agent.links.arrivals import Arrivals, LinkLost
from agent.links.mqtt import Connection, Will, new_client
from agent.sparkplug.options import SparkplugOptions
from agent.sparkplug.session import Message

FAREWELL_LIMIT_S = 1.0
MOST_HEARD = 1000
"""Messages that wait to be looked at; beyond it new ones are left out, and counted."""
LONGEST_BODY = 1 << 16
"""In bytes; a command is far shorter."""


class Heard(NamedTuple):
    """One message from the broker."""

    topic: str
    body: bytes
    retained: bool


class Link:
    """A connection to one broker. Not used again once it is lost.

    ``missed`` counts messages that were left out.
    """

    def __init__(
        self, broker: str, options: SparkplugOptions, client_id: str, will: Message, papers: tls.Papers
    ) -> None:
        self.broker = broker
        self.missed = 0
        self.unsent = 0
        """Messages that were handed over and are not on the wire yet."""
        self._options = options
        self._loop = asyncio.get_running_loop()
        self._heard: Arrivals[Heard] = Arrivals(broker)
        self._is_open = False
        self._waits: dict[int, asyncio.Future[None]] = {}
        self._client = self._make_client(client_id, will, papers)
        self._connection = Connection(broker, options, self._client, self._set_lost)

    @property
    def has_asked(self) -> bool:
        """Whether a CONNECT may have been sent."""
        return self._connection.has_asked

    async def open(self, topics: Sequence[str]) -> None:
        """Connect, and subscribe with QoS 1. Raises LinkLost with the reason."""
        properties = None
        if self._options.version == 5:
            properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
            properties.SessionExpiryInterval = 0
        async with self._connection.opening(properties):
            self._is_open = True
            _, mid = self._client.subscribe([(topic, 1) for topic in topics])
            await self._answer(mid)

    def publish(self, message: Message) -> None:
        """Send one message, with QoS 0. Raises LinkLost."""
        self.unsent += 1
        info = self._client.publish(message.topic, message.body)
        if info.rc != mqtt.MQTT_ERR_SUCCESS:
            raise LinkLost(f"{self.broker}: {mqtt.error_string(info.rc)}")

    async def heard(self, limit_s: float) -> list[Heard]:
        """Wait up to ``limit_s`` for messages; return all there are. Raises LinkLost."""
        return await self._heard.take(limit_s)

    async def close(self, death: Message | None) -> bool:
        """End the connection, with a death first if there is one, and in MQTT 5 with the will as well.

        Tell whether the broker has confirmed the death.
        """
        is_confirmed = False
        if death is not None and self._is_open and not self._heard.reason:
            with suppress(TimeoutError, OSError):
                async with asyncio.timeout(FAREWELL_LIMIT_S):
                    await self._answer(self._client.publish(death.topic, death.body, qos=1).mid)
                    is_confirmed = True
        is_5 = self._options.version == 5
        self._connection.close(ReasonCode(PacketTypes.DISCONNECT, "Disconnect with will message") if is_5 else None)
        return is_confirmed

    async def _answer(self, mid: int | None) -> None:
        """Wait for the broker's answer. Raises OSError when it refuses or is lost."""
        if mid is None or self._heard.reason:
            raise ConnectionError(self._heard.reason or "not connected")
        self._waits[mid] = wait = self._loop.create_future()
        await wait

    def _make_client(self, client_id: str, will: Message, papers: tls.Papers) -> mqtt.Client:
        options = self._options
        client = new_client(
            self.broker, options, client_id, papers, Will(will.topic, will.body, retain=False), options.version
        )
        client.on_message, client.on_publish = self._on_message, self._on_publish
        client.on_subscribe = self._on_subscribe
        return client

    def _on_message(self, _client: mqtt.Client, _data: Any, message: mqtt.MQTTMessage) -> None:
        if self._heard.waiting < MOST_HEARD and len(message.payload) <= LONGEST_BODY:
            self._heard.put(Heard(message.topic, bytes(message.payload), message.retain))
        else:
            self.missed += 1

    def _on_subscribe(self, _client: mqtt.Client, _data: Any, mid: int, codes: list[ReasonCode], _props: Any) -> None:
        refused = next((code for code in codes if code.is_failure), None)
        self._set_answered(mid, f"no subscription: {refused}" if refused is not None else "")

    def _on_publish(self, _client: mqtt.Client, _data: Any, mid: int, _code: ReasonCode, _props: Any) -> None:
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
        for wait in self._waits.values():
            if not wait.done():
                wait.set_exception(ConnectionError(reason))
        self._heard.lose(reason)
