"""What the uplink needs of a connection, whatever it is made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Ack:
    """The answer to one publish, as an MQTT 5 reason code: only 0 says that it arrived.

    ``reason`` is what the other end said, in words, if it has any.
    """

    mid: int
    code: int
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Message:
    """What the other end has for us. ``mid`` and ``qos`` are for its acknowledgement."""

    topic: str
    body: bytes
    retained: bool = False
    mid: int = 0
    qos: int = 0
    response_topic: str = ""
    correlation: bytes = b""


class Link(Protocol):
    """A connection to one other end. Not used again once it is lost; every method may raise LinkLost."""

    name: str
    """The other end, as the site's file has it."""
    receive_maximum: int
    """How many events the other end takes before it has answered one."""

    async def open(self) -> None:
        """Connect; nobody is told yet."""

    def announce(self) -> None:
        """Tell everybody that the gateway is online here."""

    def publish(self, topic: str, body: bytes, user: list[tuple[str, str]], retain: bool = False) -> int:
        """Hand one event over; return the number that its acknowledgement will carry."""

    async def acks(self, limit_s: float) -> list[Ack]:
        """Wait up to ``limit_s`` for answers; return all there are."""

    async def hear(self) -> Message:
        """Wait for what the other end has for us; for ever if it never has anything."""

    def heard(self, message: Message) -> None:
        """Acknowledge a message: what it asked for is done, or refused."""

    def respond(self, topic: str, body: bytes, correlation: bytes) -> None:
        """Answer a message, as well as may be: who asks again is answered again."""

    def nudge(self) -> None:
        """Let ``acks`` return at once: there is something to send."""

    async def close(self, farewell: bool) -> None:
        """End the connection; with ``farewell`` tell everybody first."""
