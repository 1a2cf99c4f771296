"""Commands from above that come as NCMD: to the same desk as over MQTT, and answered by a point."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Protocol

from agent.core.model import PointInfo, Value

COMMAND, ANSWER = "gateway.command", "gateway.command_answer"
VIA = "sparkplug"
MOST_WAITING = 20
_PACE_S = 0.01


class Taking(Protocol):
    """``agent.commands.Desk.take``."""

    async def __call__(self, body: bytes, via: str) -> bytes:
        """Do what a command asks for, once, and return the answer."""


def asking_points() -> Iterator[PointInfo]:
    """Yield the point that commands are written to, always empty, and that of the last answer."""
    yield PointInfo(COMMAND, description="write a command from above here (docs/commands.md)")
    yield PointInfo(ANSWER, description="answer to the last command from above")


class Asking:
    """``tell`` is called with a point and its new value."""

    def __init__(self, take: Taking, tell: Callable[[str, Value], None]) -> None:
        self._take, self._tell = take, tell
        self._queue: asyncio.Queue[str] = asyncio.Queue(MOST_WAITING)

    def put(self, value: Value) -> str:
        """Take a command in hand; return why not, or nothing. Never waits."""
        if not isinstance(value, str):
            return "a command is JSON, as a String"
        try:
            self._queue.put_nowait(value)
        except asyncio.QueueFull:
            return f"{MOST_WAITING} commands wait already"
        return ""

    async def run(self) -> None:
        """Do what is asked for, one after the other, until cancelled."""
        for point in (COMMAND, ANSWER):
            self._tell(point, "")  # so that births know what they are
        while True:
            body = await self._queue.get()
            answer = await self._take(body.encode(errors="replace"), VIA)
            self._tell(ANSWER, answer.decode())
            await asyncio.sleep(_PACE_S)
