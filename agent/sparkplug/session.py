"""The numbers and the order of an edge node's messages: pure, so that they can be tested without a broker."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from agent.sparkplug.values import Metric, Type, encode

NAMESPACE = "spBv1.0"
REBIRTH = "Node Control/Rebirth"


class Message(NamedTuple):
    """What to publish, not retained and with QoS 0, unless it is a death of the node."""

    topic: str
    body: bytes


class Names(NamedTuple):
    """Who the edge node is in topics."""

    group: str
    node: str

    def topic(self, verb: str, device: str = "") -> str:
        """Return ``spBv1.0/GROUP/VERB/NODE[/DEVICE]``."""
        return "/".join((NAMESPACE, self.group, verb, self.node, *((device,) if device else ())))


class OutOfOrder(ValueError):  # noqa: N818 - what it is
    """A message that may not be sent now: data before births, or of a device that is dead."""


@dataclass
class Session:
    """One MQTT session. ``bd_seq`` is the number that its will carries and each birth repeats."""

    names: Names
    bd_seq: int
    is_born: bool = False
    born: set[str] = field(default_factory=set)
    """The devices that are born, and not dead."""
    _seq: int = -1

    def death(self, now_ms: int | None = None) -> Message:
        """Return the death of the node, which is its will too. After it nothing but a birth may come."""
        metric = Metric("bdSeq", None, Type.INT64, self.bd_seq, 0, now_ms or 0)
        self.is_born = False
        self.born.clear()
        return Message(self.names.topic("NDEATH"), encode([metric], now_ms, None, births=True))

    def birth(self, metrics: Sequence[Metric], now_ms: int) -> Message:
        """Return the birth of the node with all its metrics; devices must be born again after it."""
        self.is_born, self._seq = True, -1
        self.born.clear()
        own = [
            Metric("bdSeq", None, Type.INT64, self.bd_seq, 0, now_ms),
            Metric(REBIRTH, None, Type.BOOLEAN, False, 0, now_ms),
        ]
        body = encode(_in_order([*own, *metrics]), now_ms, self._next(), births=True)
        return Message(self.names.topic("NBIRTH"), body)

    def device_birth(self, device: str, metrics: Sequence[Metric], now_ms: int) -> Message:
        """Return the birth of a device. Raises OutOfOrder before the node's."""
        self._require(self.is_born, f"{device} cannot be born before the node")
        self.born.add(device)
        body = encode(_in_order(metrics), now_ms, self._next(), births=True)
        return Message(self.names.topic("DBIRTH", device), body)

    def data(self, device: str, metrics: Sequence[Metric], now_ms: int) -> Message:
        """Return changes of a device, or of the node itself ("" for a device). Raises OutOfOrder."""
        self._require(self.has(device), f"data of {device or 'the node'} before its birth")
        body = encode(metrics, now_ms, self._next(), births=False)
        return Message(self.names.topic("DDATA" if device else "NDATA", device), body)

    def device_death(self, device: str, now_ms: int) -> Message:
        """Return the death of a device. Raises OutOfOrder when it is not born."""
        self._require(device in self.born, f"{device} is not born")
        self.born.discard(device)
        return Message(self.names.topic("DDEATH", device), encode((), now_ms, self._next(), births=True))

    def has(self, device: str) -> bool:
        """Tell whether data of a device, or of the node itself, may be sent."""
        return device in self.born if device else self.is_born

    def _next(self) -> int:
        self._seq = (self._seq + 1) % 256
        return self._seq

    def _require(self, holds: bool, what: str) -> None:
        if not holds:
            raise OutOfOrder(what)


def _in_order(metrics: Sequence[Metric]) -> list[Metric]:
    """Return metrics by their time, as the specification wants them within a payload."""
    return sorted(metrics, key=lambda metric: metric.stamp_ms)


def following(bd_seq: int) -> int:
    """Return the bdSeq of the next connection."""
    return (bd_seq + 1) % 256


@dataclass
class Host:
    """What STATE messages of one broker said of the primary host. Without an id it is always online."""

    id: str
    is_online: bool = False
    stamp_ms: int | None = None

    def __post_init__(self) -> None:
        self.is_online = not self.id

    @property
    def topic(self) -> str:
        """Where the host tells its state."""
        return f"{NAMESPACE}/STATE/{self.id}"

    def hears(self, topic: str, body: bytes) -> None:
        """Take a STATE message; what is not of this host, older than the last, or no such message changes nothing."""
        if not self.id or topic != self.topic:
            return
        found = _state(body)
        if found is None or (self.stamp_ms is not None and found[1] < self.stamp_ms):
            return
        self.is_online, self.stamp_ms = found


def _state(body: bytes) -> tuple[bool, int] | None:
    try:
        data = json.loads(body)
    except ValueError:
        return None
    if not isinstance(data, dict):
        return None
    online, stamp = data.get("online"), data.get("timestamp")
    if not isinstance(online, bool) or isinstance(stamp, bool) or not isinstance(stamp, int):
        return None
    return online, stamp
