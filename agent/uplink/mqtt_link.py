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
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from agent.uplink import tls
from agent.uplink.answers import Answers
from agent.uplink.driven import Driven, packed
from agent.uplink.link import Ack, LinkLost, Message
from agent.uplink.mapping import MappingOptions, Outgoing, filled_status
from agent.uplink.options import UplinkOptions, host_and_port, is_encrypted, web_path

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
        self._answers = Answers(broker)
        self._waiting: deque[tuple[int, Outgoing, Properties | None]] = deque()
        self._unanswered: dict[int, int] = {}
        """By paho's number the one that we gave."""
        self._given = 0
        self._heard: asyncio.Queue[Message] = asyncio.Queue()
        self._connected: asyncio.Future[None] = self._loop.create_future()
        self._log = ""
        self._client = self._make_client(client_id, papers)
        self._driven = Driven(self._client)

    async def open(self) -> None:
        """Connect. Raises LinkLost with the reason, in words."""
        host, port = host_and_port(self.name)
        try:
            async with asyncio.timeout(self._options.patience):
                await self._driven.connect(host, port, int(self._options.keepalive), _LIMITS)
                await self._connected
                if self._topics:
                    self._client.subscribe([(each, 1) for each in self._topics])
        except TimeoutError:
            raise LinkLost(f"{self.name}: no answer for {self._options.patience:g} s") from None
        except (OSError, ValueError) as error:
            cause = OSError(self._log) if self._log else error
            reason = tls.in_words(cause) if is_encrypted(self.name) else str(cause)
            raise LinkLost(f"{self.name}: {reason}") from error

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
        self._driven.close()

    def _make_client(self, client_id: str, papers: tls.Papers) -> mqtt.Client:
        path = web_path(self.name)
        client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            protocol=mqtt.MQTTv5,
            transport="tcp" if path is None else "websockets",
            reconnect_on_failure=False,
            manual_ack=True,
        )
        if path is not None:
            client.ws_set_options(path)
        client.connect_timeout = self._options.patience / 2
        client.max_queued_messages_set(0)
        client.max_inflight_messages_set(1000)
        client.will_set(self._sign.topic, self._sign.offline, qos=1, retain=self._sign.retain)
        if self._options.username:
            client.username_pw_set(self._options.username, papers.secret)
        if papers.context is not None:
            client.tls_set_context(papers.context)
        client.on_connect, client.on_disconnect, client.on_log = self._on_connect, self._on_disconnect, self._on_log
        client.on_publish, client.on_message, client.on_subscribe = (
            self._on_publish,
            self._on_message,
            self._on_subscribe,
        )
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

    def _on_connect(
        self, client: mqtt.Client, _data: Any, _flags: Any, code: ReasonCode, properties: Properties | None
    ) -> None:
        client.on_log = None  # paho would put every message into words for it
        maximum = getattr(properties, "ReceiveMaximum", None)
        self._set_connected(code, maximum)

    def _on_disconnect(self, _client: mqtt.Client, _data: Any, _flags: Any, code: ReasonCode, _props: Any) -> None:
        self._set_lost(self._log or f"disconnected ({code})")

    def _on_log(self, _client: mqtt.Client, _data: Any, level: int, text: str) -> None:
        """What the other side has against our certificate comes behind the handshake, and stands in the log only."""
        if level == mqtt.MQTT_LOG_ERR and text.startswith("failed to") and not self._log:
            self._log = text

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

    def _set_connected(self, code: ReasonCode, maximum: int | None) -> None:
        if self._connected.done():
            return
        if code.is_failure:
            self._connected.set_exception(ConnectionRefusedError(f"the broker refuses: {code}"))
        else:
            self.receive_maximum = maximum or self.receive_maximum
            self._connected.set_result(None)

    def _set_lost(self, reason: str) -> None:
        if not self._connected.done():
            self._connected.set_exception(ConnectionError(reason))
        self._answers.lose(reason)
