"""What an edge node did, as the judge sees it: packets by connection, each payload read by the independent decoder."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.sparkplug.codec import Codec
from tests.sparkplug.tap import CONNECT, DISCONNECT, PUBLISH, SUBSCRIBE, Connection, Packet, Tap

BIRTHS = ("NBIRTH", "DBIRTH")
DATA = ("NDATA", "DDATA")
OWN = (*BIRTHS, *DATA, "NDEATH", "DDEATH")
VALUES = ("intValue", "longValue", "floatValue", "doubleValue", "booleanValue", "stringValue")


@dataclass(frozen=True)
class Told:
    """One message of the node. ``raw`` has only the fields that are on the wire; ``metrics`` is what a host reads."""

    packet: Packet
    raw: dict[str, Any]
    metrics: list[dict[str, Any]]

    @property
    def verb(self) -> str:
        return self.packet.topic.split("/")[2]

    @property
    def device(self) -> str:
        return "/".join(self.packet.topic.split("/")[4:])

    @property
    def raw_metrics(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.raw.get("metrics", [])
        return found

    def metric(self, name: str) -> dict[str, Any] | None:
        return next((metric for metric in self.raw_metrics if metric.get("name") == name), None)


@dataclass
class Session:
    """One connection: the will that it began with, what was subscribed, told, and how it ended."""

    run: str
    connection: Connection
    connect: Packet
    will: Told
    told: list[Told] = field(default_factory=list)
    subscribed: list[Packet] = field(default_factory=list)
    disconnect: Packet | None = None

    @property
    def bd_seq(self) -> int:
        return int(self.will.raw_metrics[0]["longValue"])

    def of(self, *verbs: str) -> list[Told]:
        return [told for told in self.told if told.verb in verbs]


@dataclass
class Run:
    """One life of an agent. ``marks`` are moments (monotonic seconds) at which something was done to it."""

    name: str
    host: str = ""
    marks: dict[str, float] = field(default_factory=dict)
    sessions: list[Session] = field(default_factory=list)

    def after(self, mark: str) -> list[Told]:
        """Return what was told since that moment, by all connections."""
        since_s = self.marks[mark]
        return [told for session in self.sessions for told in session.told if told.packet.at_s > since_s]

    def within(self, mark: str, seconds: float) -> list[Told]:
        return [told for told in self.after(mark) if told.packet.at_s < self.marks[mark] + seconds]

    def gather(self, taps: Sequence[Tap], codec: Codec) -> None:
        """Read what went over these wires, in the order of time."""
        for tap in taps:
            self.sessions.extend(self._session(tap, connection, codec) for connection in _asked(tap))
        self.sessions.sort(key=lambda session: session.connection.begun_s)

    def _session(self, tap: Tap, connection: Connection, codec: Codec) -> Session:
        packets = [packet for packet in tap.packets if packet.connection == connection.number]
        connect = next(packet for packet in packets if packet.kind == CONNECT)
        types: dict[int, int] = {}
        session = Session(self.name, connection, connect, _read(connect, codec, types))
        for packet in packets:
            if packet.kind == PUBLISH:
                session.told.append(_read(packet, codec, types))
            elif packet.kind == SUBSCRIBE:
                session.subscribed.append(packet)
            elif packet.kind == DISCONNECT:
                session.disconnect = packet
        return session


@dataclass
class Evidence:
    """All runs together."""

    runs: list[Run]

    @property
    def sessions(self) -> Iterator[Session]:
        return (session for run in self.runs for session in run.sessions)

    def told(self, *verbs: str) -> list[Told]:
        return [told for session in self.sessions for told in session.of(*verbs)]

    def run(self, name: str) -> Run:
        return next(run for run in self.runs if run.name == name)


def every(things: Iterable[Any], holds: Callable[[Any], object]) -> bool:
    """Tell whether all are so, and that there is one at all: nothing proves nothing."""
    found = list(things)
    return bool(found) and all(holds(each) for each in found)


def _asked(tap: Tap) -> list[Connection]:
    asked = {packet.connection for packet in tap.packets if packet.kind == CONNECT}
    return [connection for connection in tap.connections if connection.number in asked]


def _read(packet: Packet, codec: Codec, types: dict[int, int]) -> Told:
    found = codec.decode(packet.body, types)
    told = Told(packet, found["raw"], found["metrics"])
    if told.verb in BIRTHS:
        types.update({metric["alias"]: metric["datatype"] for metric in told.raw_metrics if "alias" in metric})
    return told
