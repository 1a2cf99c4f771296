"""Whose turn it is on a line that carries one request at a time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field


@dataclass(eq=False)
class _Ticket:
    unit: int
    is_urgent: bool
    number: int
    turn: asyncio.Future[None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class Turns:
    """Urgent requests (outputs) come first; then the unit that was served least recently, so none starves another."""

    def __init__(self) -> None:
        self._waiting: list[_Ticket] = []
        self._served: dict[int, int] = {}
        self._count = 0
        self._is_taken = False

    @asynccontextmanager
    async def take(self, unit: int, is_urgent: bool) -> AsyncIterator[None]:
        """Wait for the turn, and hold it for the block."""
        if self._is_taken:
            await self._wait(unit, is_urgent)
        self._is_taken = True
        self._count += 1
        self._served[unit] = self._count
        try:
            yield
        finally:
            self._pass_on()

    async def _wait(self, unit: int, is_urgent: bool) -> None:
        self._count += 1
        ticket = _Ticket(unit, is_urgent, self._count)
        self._waiting.append(ticket)
        try:
            await ticket.turn
        except asyncio.CancelledError:
            if ticket in self._waiting:
                self._waiting.remove(ticket)
            else:
                self._pass_on()  # the turn came at the very moment
            raise

    def _pass_on(self) -> None:
        waiting = [ticket for ticket in self._waiting if not ticket.turn.done()]  # the others were cancelled just now
        self._is_taken = bool(waiting)
        if waiting:
            ticket = min(waiting, key=self._order)
            self._waiting.remove(ticket)
            ticket.turn.set_result(None)

    def _order(self, ticket: _Ticket) -> tuple[bool, int, int]:
        return not ticket.is_urgent, self._served.get(ticket.unit, 0), ticket.number
