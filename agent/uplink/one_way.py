"""What a link is that takes events and never has anything for us."""

from __future__ import annotations

import asyncio

from agent.links.arrivals import Arrivals
from agent.uplink.link import Ack, Message


class OneWay:
    """What a ``Link`` is where nothing comes back but answers: nobody is told that we are there, and nobody asks."""

    def __init__(self, name: str, receive_maximum: int) -> None:
        self.name, self.receive_maximum = name, receive_maximum
        self._answers: Arrivals[Ack] = Arrivals(name)

    def announce(self) -> None:
        """There is no place for it."""

    async def acks(self, limit_s: float) -> list[Ack]:
        """Wait up to ``limit_s`` for answers; return all there are. Raises LinkLost."""
        return await self._answers.take(limit_s)

    async def hear(self) -> Message:
        """Wait for ever."""
        nothing: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        return await nothing

    def heard(self, message: Message) -> None:
        """Nothing is ever heard."""

    def respond(self, topic: str, body: bytes, correlation: bytes) -> None:
        """Nobody ever asks."""

    def nudge(self) -> None:
        """Let ``acks`` return at once."""
        self._answers.nudge()
