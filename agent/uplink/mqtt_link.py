"""One MQTT connection, in the event loop."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections import deque
from collections.abc import Sequence
from typing import Any, NamedTuple

import paho.mqtt.client as mqtt
import structlog
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from agent.links import tls
from agent.links.arrivals import Arrivals, LinkLost
from agent.links.driven import packed
from agent.links.mqtt import Connection, Will, new_client
from agent.uplink.link import Ack, Message
from agent.uplink.mapping import MappingOptions, Outgoing, filled_status
from agent.uplink.options import UplinkOptions

log = structlog.get_logger(__name__)
_MOST_HEARD = 10
_LARGEST_HEARD = 256 * 1024


def _limits() -> Properties:
    """Return what we take: so many messages at once, and none that is larger."""
    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
    properties.ReceiveMaximum, properties.MaximumPacketSize = _MOST_HEARD, _LARGEST_HEARD
    return properties


_LIMITS = _limits()


class _Sign(NamedTuple):
    """Where a gateway says that it is there, and that it is not."""

    topic: str
    online: bytes
    offline: bytes
    retain: bool = True


def _status(online: bool, session: str) -> bytes:
    return json.dumps({"online": online, "session": session}).encode()


class MqttLink:
    """A connection to one broker, with a will that says offline; see ``Link``.

    Each connection has a session of its own in its status and its will, so that the death of one
    that was given up is not taken for that of the one after it.
    """

    def __init__(
        self,
        broker: str,
        options: UplinkOptions,
        client_id: str,
        topic: str,
        papers: tls.Papers,
        topics: Sequence[str] = (),
        mapping: MappingOptions | None = None,
    ) -> None:
        """Prepare it; it will hear ``topics``, and say that it is there as ``mapping`` wants it."""
        self.receive_maximum = 65535
        self.name = broker
        session = str(uuid.uuid4())
        self._sign = _Sign(f"{topic}/status", _status(True, session), _status(False, session))
        if mapping is not None and mapping.status is not None:
            self._sign = _Sign(*filled_status(mapping.status, {"topic": topic}))
        self._content_type = "application/json" if mapping is not None else "application/cloudevents+json"
        self._options = options
        self._loop = asyncio.get_running_loop()
        self._topics = topics
        self._answers: Arrivals[Ack] = Arrivals(broker)
        self._waiting: deque[tuple[int, Outgoing, Properties | None]] = deque()
        self._unanswered: dict[int, int] = {}
        """By paho's number the one that we gave."""
        self._given = 0
        self._heard: asyncio.Queue[Message] = asyncio.Queue()
        self._client = self._make_client(client_id, papers)
        self._connection = Connection(broker, options, self._client, self._answers.lose)

    async def open(self) -> None:
        """Connect. Raises LinkLost with the reason, in words."""
        async with self._connection.opening(_LIMITS) as granted:
            self.receive_maximum = getattr(granted, "ReceiveMaximum", self.receive_maximum)
            if self._topics:
                self._client.subscribe([(each, 1) for each in self._topics])

    def announce(self) -> None:
        """Say online."""
        self._send(Outgoing(self._sign.topic, self._sign.online, self._sign.retain))

    def publish(self, topic: str, body: bytes, user: list[tuple[str, str]], retain: bool = False) -> int:
        """Hand one message over; return the number that its acknowledgement will carry."""
        return self._send(Outgoing(topic, body, retain), packed(self._content_type, user))

    async def acks(self, limit_s: float) -> list[Ack]:
        """Wait up to ``limit_s`` for answers; return all there are. Raises LinkLost."""
        return await self._answers.take(limit_s)

    async def hear(self) -> Message:
        """Wait for a message on one of the topics."""
        return await self._heard.get()

    def heard(self, message: Message) -> None:
        """Acknowledge a message; the broker sends the next one only then, once ten wait."""
        self._client.ack(message.mid, message.qos)

    def respond(self, topic: str, body: bytes, correlation: bytes) -> None:
        """Answer a message; nobody waits for this answer's acknowledgement."""
        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
        properties.ContentType = "application/json"
        if correlation:
            properties.CorrelationData = correlation
        self._send(Outgoing(topic, body), properties)

    def nudge(self) -> None:
        """Let ``acks`` return at once: there is something to send."""
        self._answers.nudge()

    async def close(self, farewell: bool) -> None:
        """End the connection; with ``farewell`` say offline first, as the will would."""
        if farewell:
            self._client.publish(self._sign.topic, self._sign.offline, qos=1, retain=self._sign.retain)
            await asyncio.sleep(0.1)
        self._connection.close()

    def _make_client(self, client_id: str, papers: tls.Papers) -> mqtt.Client:
        sign = self._sign
        will = Will(sign.topic, sign.offline, sign.retain)
        client = new_client(self.name, self._options, client_id, papers, will, manual_ack=True)
        client.max_queued_messages_set(0)
        client.max_inflight_messages_set(1000)
        client.on_publish, client.on_message = self._on_publish, self._on_message
        client.on_subscribe = self._on_subscribe
        return client

    def _send(self, message: Outgoing, properties: Properties | None = None) -> int:
        self._given += 1
        self._waiting.append((self._given, message, properties))
        self._pump()
        return self._given

    def _pump(self) -> None:
        """Send what waits; never more at once than the broker takes, whatever it is that we have to say."""
        while self._waiting and len(self._unanswered) < self.receive_maximum:
            number, message, properties = self._waiting.popleft()
            info = self._client.publish(message.topic, message.body, 1, message.retain, properties)
            if info.rc != mqtt.MQTT_ERR_SUCCESS:
                raise LinkLost(f"{self.name}: {mqtt.error_string(info.rc)}")
            self._unanswered[info.mid] = number

    def _pump_on(self) -> None:
        """Send what waited for an answer."""
        try:
            self._pump()
        except LinkLost as error:
            self._answers.lose(str(error))

    def _on_publish(self, _client: mqtt.Client, _data: Any, mid: int, code: ReasonCode, _props: Any) -> None:
        number = self._unanswered.pop(mid, None)
        if number is not None:
            self._answers.put(Ack(number, code.value))
        if self._waiting:
            self._loop.call_soon(self._pump_on)  # not here: paho holds its locks

    def _on_message(self, _client: mqtt.Client, _data: Any, message: mqtt.MQTTMessage) -> None:
        properties = message.properties
        topic, correlation = getattr(properties, "ResponseTopic", ""), getattr(properties, "CorrelationData", b"")
        found = (message.topic, bytes(message.payload), message.retain, message.mid, message.qos, topic, correlation)
        self._take(Message(*found))

    def _on_subscribe(self, _client: mqtt.Client, _data: Any, _mid: int, codes: list[ReasonCode], _props: Any) -> None:
        for topic, code in zip(self._topics, codes, strict=False):
            if code.is_failure:
                log.warning("the broker does not let us hear", broker=self.name, topic=topic, reason=str(code))

    def _take(self, message: Message) -> None:
        """One with QoS 0, which the broker does not hold back, is lost while too many wait."""
        if message.qos or self._heard.qsize() < _MOST_HEARD:
            self._heard.put_nowait(message)
