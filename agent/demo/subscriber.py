"""The centre, as small as it can be: takes every event, and knows what is lost, doubled or out of order."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from itertools import pairwise

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode


@dataclass
class Received:
    """What arrived so far. ``replayed`` counts events that were marked as late; ages are in seconds."""

    ids: set[str] = field(default_factory=set)
    order: dict[str, list[int]] = field(default_factory=dict)
    duplicates: int = 0
    replayed: int = 0
    oldest_s: float = 0.0

    def take(self, payload: bytes, properties: dict[str, str]) -> None:
        """Take one message; what is no event (the gateway's status) is left out."""
        try:
            event = json.loads(payload)
        except ValueError:
            return
        if not isinstance(event, dict) or "specversion" not in event:
            return
        if event["id"] in self.ids:
            self.duplicates += 1
            return
        self.ids.add(event["id"])
        self.order.setdefault(event["lane"], []).append(event["seq"])
        if properties.get("replayed") == "true":
            self.replayed += 1
            self.oldest_s = max(self.oldest_s, float(properties.get("age_s", 0)))

    def disorder(self) -> list[str]:
        """Return each place where a lane's numbers do not rise by one from 1 on, in words."""
        return [
            f"{lane}: {before} is followed by {after}"
            for lane, numbers in self.order.items()
            for before, after in pairwise([0, *numbers])
            if after != before + 1
        ]


class Subscriber:
    """A paho client with a session that lasts, reconnecting by itself."""

    def __init__(self, port: int, topic: str = "#") -> None:
        self._topic = topic
        self._received = Received()
        self._lock = threading.Lock()
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="demo-centre", protocol=mqtt.MQTTv5)
        self._client.on_connect = self._connected
        self._client.on_message = self._message
        self._client.reconnect_delay_set(min_delay=1, max_delay=1)
        lasting = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        lasting.SessionExpiryInterval = 3600
        self._client.connect_async("127.0.0.1", port, keepalive=10, clean_start=False, properties=lasting)

    def start(self) -> None:
        """Connect and listen in a thread."""
        self._client.loop_start()

    def stop(self) -> None:
        """Say goodbye."""
        self._client.disconnect()
        self._client.loop_stop()

    @property
    def connected(self) -> bool:
        """Tell whether the broker has it now."""
        return self._client.is_connected()

    def snapshot(self) -> Received:
        """Return a copy of what arrived so far."""
        with self._lock:
            one = self._received
            order = {lane: list(numbers) for lane, numbers in one.order.items()}
            return Received(set(one.ids), order, one.duplicates, one.replayed, one.oldest_s)

    def _connected(
        self, client: mqtt.Client, _data: object, _flags: mqtt.ConnectFlags, _code: ReasonCode, _more: Properties | None
    ) -> None:
        client.subscribe(self._topic, qos=1)

    def _message(self, _client: mqtt.Client, _data: object, message: mqtt.MQTTMessage) -> None:
        pairs = getattr(message.properties, "UserProperty", [])
        with self._lock:
            self._received.take(bytes(message.payload), dict(pairs))
