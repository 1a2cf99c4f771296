"""One MQTT connection. paho's thread only enqueues; everything else happens in the event loop.

paho calls back while it holds its own locks, re-sends old messages of a client that is used again and
ignores Receive Maximum (RELIABILITY R5, R6). Hence: a fresh client for each connection, callbacks that
only hand over, and a window that is kept by the caller.
"""

from __future__ import annotations

import asyncio
import json
import ssl
from dataclasses import dataclass
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from agent.uplink.options import UplinkOptions, host_and_port

CONNECT_LIMIT_S = 10.0


class LinkLost(Exception):  # noqa: N818 - a state, like NotConnected
    """The broker is gone; what was on its way must be sent again on a new connection."""


@dataclass(frozen=True, slots=True)
class Ack:
    """The broker's answer to one publish."""

    mid: int
    code: int


_NUDGE = Ack(0, 0)


class Link:
    """A connection to one broker, with a will that says offline. Not used again once it is lost."""

    def __init__(self, broker: str, options: UplinkOptions, client_id: str, topic: str, session: str) -> None:
        self.receive_maximum = 65535
        self.broker = broker
        self._status_topic = f"{topic}/status"
        self._session = session
        self._options = options
        self._loop = asyncio.get_running_loop()
        self._acks: asyncio.Queue[Ack | None] = asyncio.Queue()
        self._connected: asyncio.Future[None] = self._loop.create_future()
        self._lost = ""
        self._client = self._make_client(client_id)

    async def open(self) -> None:
        """Connect, and tell everybody that the gateway is online. Raises LinkLost with the reason."""
        host, port = host_and_port(self.broker)
        try:
            async with asyncio.timeout(CONNECT_LIMIT_S):
                await asyncio.to_thread(
                    self._client.connect, host, port, keepalive=int(self._options.keepalive), clean_start=True
                )
                self._client.loop_start()
                await self._connected
        except TimeoutError:
            raise LinkLost(f"{self.broker}: no answer for {CONNECT_LIMIT_S:g} s") from None
        except (OSError, ValueError) as error:
            raise LinkLost(f"{self.broker}: {error}") from error
        self._client.publish(self._status_topic, self._status(True), qos=1, retain=True)

    def publish(self, topic: str, body: bytes, user: list[tuple[str, str]]) -> int:
        """Hand one event over; return the number that its acknowledgement will carry."""
        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
        properties.ContentType = "application/cloudevents+json"
        properties.UserProperty = user
        info = self._client.publish(topic, body, qos=1, properties=properties)
        if info.rc != mqtt.MQTT_ERR_SUCCESS:
            raise LinkLost(f"{self.broker}: {mqtt.error_string(info.rc)}")
        return info.mid

    async def acks(self, limit_s: float) -> list[Ack]:
        """Wait up to ``limit_s`` for answers; return all there are. Raises LinkLost."""
        try:
            async with asyncio.timeout(limit_s):
                found = [await self._acks.get()]
        except TimeoutError:
            return []
        while not self._acks.empty():
            found.append(self._acks.get_nowait())
        if None in found:
            raise LinkLost(f"{self.broker}: {self._lost}")
        return [ack for ack in found if ack is not None and ack is not _NUDGE]

    def nudge(self) -> None:
        """Let ``acks`` return at once: there is something to send."""
        self._acks.put_nowait(_NUDGE)

    async def close(self, farewell: bool) -> None:
        """End the connection; with ``farewell`` say offline first, as the will would."""
        if farewell:
            self._client.publish(self._status_topic, self._status(False), qos=1, retain=True)
            await asyncio.sleep(0.1)
        self._client.disconnect()
        await asyncio.to_thread(self._client.loop_stop)

    def _make_client(self, client_id: str) -> mqtt.Client:
        client = mqtt.Client(
            CallbackAPIVersion.VERSION2, client_id=client_id, protocol=mqtt.MQTTv5, reconnect_on_failure=False
        )
        client.connect_timeout = CONNECT_LIMIT_S / 2
        client.max_queued_messages_set(0)
        client.max_inflight_messages_set(1000)
        client.will_set(self._status_topic, self._status(False), qos=1, retain=True)
        if self._options.username:
            client.username_pw_set(self._options.username, self._password())
        if self.broker.startswith("mqtts:"):
            client.tls_set_context(ssl.create_default_context(cafile=self._options.ca_file))
        client.on_connect, client.on_connect_fail = self._on_connect, self._on_connect_fail
        client.on_disconnect, client.on_publish = self._on_disconnect, self._on_publish
        return client

    def _password(self) -> str | None:
        """Return the password. Raises OSError, ValueError."""
        if self._options.password is not None:
            return self._options.password.read()
        path = self._options.password_file
        return path.read_text(encoding="utf-8").strip() if path is not None else None

    def _status(self, online: bool) -> bytes:
        return json.dumps({"online": online, "session": self._session}).encode()

    def _hand_over(self, callback: Any, *args: Any) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(callback, *args)

    def _on_connect(
        self, _client: mqtt.Client, _data: Any, _flags: Any, code: ReasonCode, properties: Properties | None
    ) -> None:
        maximum = getattr(properties, "ReceiveMaximum", None)
        self._hand_over(self._set_connected, code, maximum)

    def _on_connect_fail(self, _client: mqtt.Client, _data: Any) -> None:
        self._hand_over(self._set_lost, "connection failed")

    def _on_disconnect(self, _client: mqtt.Client, _data: Any, _flags: Any, code: ReasonCode, _props: Any) -> None:
        self._hand_over(self._set_lost, f"disconnected ({code})")

    def _on_publish(self, _client: mqtt.Client, _data: Any, mid: int, code: ReasonCode, _props: Any) -> None:
        self._hand_over(self._acks.put_nowait, Ack(mid, code.value))

    def _set_connected(self, code: ReasonCode, maximum: int | None) -> None:
        if self._connected.done():
            return
        if code.is_failure:
            self._connected.set_exception(ConnectionRefusedError(f"the broker refuses: {code}"))
        else:
            self.receive_maximum = maximum or self.receive_maximum
            self._connected.set_result(None)

    def _set_lost(self, reason: str) -> None:
        self._lost = self._lost or reason
        if not self._connected.done():
            self._connected.set_exception(ConnectionError(reason))
        self._acks.put_nowait(None)
