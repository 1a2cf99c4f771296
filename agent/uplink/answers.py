"""Answers on their way from a connection to whoever drains over it."""

from __future__ import annotations

import asyncio

from agent.uplink.link import Ack, LinkLost, Message

_NUDGE = Ack(0, 0)


class Answers:
    """A queue of acknowledgements that may also say that the connection is lost. Belongs to the event loop."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._queue: asyncio.Queue[Ack | None] = asyncio.Queue()
        self._lost = ""

    def put(self, ack: Ack) -> None:
        """Hand one over."""
        self._queue.put_nowait(ack)

    def lose(self, reason: str) -> None:
        """The connection is lost; the first reason counts."""
        self._lost = self._lost or reason
        self._queue.put_nowait(None)

    def nudge(self) -> None:
        """Let ``take`` return at once."""
        self._queue.put_nowait(_NUDGE)

    async def take(self, limit_s: float) -> list[Ack]:
        """Wait up to ``limit_s`` for answers; return all there are. Raises LinkLost."""
        try:
            async with asyncio.timeout(limit_s):
                found = [await self._queue.get()]
        except TimeoutError:
            return []
        while not self._queue.empty():
            found.append(self._queue.get_nowait())
        if None in found:
            raise LinkLost(f"{self._name}: {self._lost}")
        return [ack for ack in found if ack is not None and ack is not _NUDGE]


class OneWay:
    """What a ``Link`` is where nothing comes back but answers: nobody is told that we are there, and nobody asks."""

    def __init__(self, name: str, receive_maximum: int) -> None:
        self.name, self.receive_maximum = name, receive_maximum
        self._answers = Answers(name)

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
