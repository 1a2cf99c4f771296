"""What comes from the other end, on its way from a connection to whoever uses it."""

from __future__ import annotations

import asyncio
from typing import Generic, TypeVar

T = TypeVar("T")


class LinkLost(Exception):  # noqa: N818 - a state, like NotConnected
    """The other end is gone; what was on its way must be sent again on a new connection, if it can be."""


class Arrivals(Generic[T]):
    """A queue that may also say that the connection is lost. Belongs to the event loop; holds what is not None."""

    def __init__(self, name: str) -> None:
        self.reason = ""
        """Why the connection is lost; nothing while it is not."""
        self._name = name
        self._queue: asyncio.Queue[T | None] = asyncio.Queue()

    @property
    def waiting(self) -> int:
        """How many wait."""
        return self._queue.qsize()

    def put(self, arrival: T) -> None:
        """Hand one over."""
        self._queue.put_nowait(arrival)

    def lose(self, reason: str) -> None:
        """The connection is lost; the first reason counts."""
        self.reason = self.reason or reason or "lost"
        self.nudge()

    def nudge(self) -> None:
        """Let ``take`` return at once."""
        self._queue.put_nowait(None)

    async def take(self, limit_s: float) -> list[T]:
        """Wait up to ``limit_s`` for arrivals; return all there are. Raises LinkLost."""
        try:
            async with asyncio.timeout(limit_s):
                found = [await self._queue.get()]
        except TimeoutError:
            return []
        while not self._queue.empty():
            found.append(self._queue.get_nowait())
        if self.reason:
            raise LinkLost(f"{self._name}: {self.reason}")
        return [each for each in found if each is not None]
