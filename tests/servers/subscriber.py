"""A centre: a persistent MQTT subscriber that writes down what arrives, in order."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import Any, Self

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties


@dataclass
class Arrival:
    """One message; ``user`` are its MQTT 5 user properties."""

    topic: str
    body: dict[str, Any]
    user: dict[str, str]
    retained: bool
    correlation: bytes = b""


class Subscriber:
    """Use as a context manager; it reconnects by itself.

    A ``quick`` one is told each message once at most: our mosquitto saves whatever else it tells, and takes its time.
    """

    def __init__(self, port: int, topic: str = "plant/#", client_id: str = "centre", *, quick: bool = False) -> None:
        self.arrivals: list[Arrival] = []
        self._qos = 0 if quick else 1
        self._topic = topic
        self._port = port
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=client_id, protocol=mqtt.MQTTv5)
        self._client.reconnect_delay_set(1, 1)
        self._client.on_connect = self._on_connect
        self._client.on_message = self._on_message
        self._subscribed = False
        self._client.on_subscribe = lambda *_: setattr(self, "_subscribed", True)

    def __enter__(self) -> Self:
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.SessionExpiryInterval = 3600
        self._client.connect("127.0.0.1", self._port, keepalive=10, clean_start=False, properties=properties)
        self._client.loop_start()
        deadline_s = time.monotonic() + 5.0
        while not self._subscribed:
            assert time.monotonic() < deadline_s, "the subscriber could not subscribe"
            time.sleep(0.01)
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def events(self) -> list[Arrival]:
        """Return what came on the event topics, duplicates included."""
        return [arrival for arrival in self.arrivals if "/evt/" in arrival.topic]

    def first_seen(self) -> list[dict[str, Any]]:
        """Return each event once, in the order of its first arrival."""
        unique: dict[str, dict[str, Any]] = {}
        for arrival in self.events():
            unique.setdefault(arrival.body["id"], arrival.body)
        return list(unique.values())

    def _on_connect(self, client: mqtt.Client, *_: Any) -> None:
        client.subscribe(self._topic, qos=self._qos)

    def _on_message(self, _client: mqtt.Client, _data: Any, message: mqtt.MQTTMessage) -> None:
        user = dict(getattr(message.properties, "UserProperty", []))
        correlation = getattr(message.properties, "CorrelationData", b"")
        self.arrivals.append(Arrival(message.topic, json.loads(message.payload), user, message.retain, correlation))
