"""A line and its discipline: one request at a time, in turns, with pauses, and what to think of silence."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from weakref import WeakValueDictionary

from agent.core.errors import NotConnected
from drivers.modbus.demotion import Demotion
from drivers.modbus.frames import Framing
from drivers.modbus.link import Link, OnData, OnLost
from drivers.modbus.pdu import Request
from drivers.modbus.turns import Turns

Open = Callable[[OnData, OnLost], Awaitable[Link]]
_PATIENCE = 3
"""So many units that used to answer fall silent, one after the other: the line itself is taken for broken."""


@dataclass(frozen=True, slots=True)
class Unit:
    """Whom to ask, and with how much patience (seconds)."""

    number: int
    timeout_s: float
    pause_s: float = 0.0
    settle_s: float = 0.0


@dataclass(eq=False, slots=True)
class _Open:
    """The one request that is on the line."""

    unit: int
    transaction: int
    request: Request
    answer: asyncio.Future[bytes]


class Bus:
    """One line, shared by the sessions of all units on it. Opened by the first, closed after the last.

    ``silence_s`` is the least rest of the line between two frames (3.5 characters on RTU).
    """

    def __init__(
        self, endpoint: str, framing: Framing, opens: Open, silence_s: float = 0.0, settings: str = ""
    ) -> None:
        self.endpoint, self.settings = endpoint, settings
        self._framing, self._opens, self._silence_s = framing, opens, silence_s
        self._turns, self._demotion = Turns(), Demotion()
        self._opening = asyncio.Lock()
        self._link: Link | None = None
        self._users: dict[object, int] = {}
        self._refusal: tuple[float, str] = (0.0, "")
        self._buffer = bytearray()
        self._asked: _Open | None = None
        self._transaction = 0
        self._missed = 0
        self._quiet_s = 0.0
        self._paused_s: dict[int, float] = {}

    @property
    def is_used(self) -> bool:
        """Whether a session holds the line."""
        return bool(self._users)

    async def attach(self, user: object, unit: Unit) -> Link:
        """Open the line unless it is open; ``user`` holds it until ``detach``. Raises NotConnected."""
        asked_s = time.monotonic()
        async with self._opening:
            if self._link is None:
                self._link = await self._open(unit, asked_s)
            self._users[user] = unit.number
            return self._link

    def serves(self, link: Link | None) -> bool:
        """Tell whether ``link`` is the open line still."""
        return link is not None and link is self._link

    def detach(self, user: object) -> None:
        """``user`` needs the line no more."""
        self._users.pop(user, None)
        if not self._users:
            self._drop("closed")

    async def ask(
        self,
        link: Link | None,
        unit: Unit,
        request: Request,
        is_urgent: bool = False,
        meanwhile: Callable[[], None] | None = None,
    ) -> bytes:
        """Return the PDU of the answer, or of its refusal. Raises NotConnected: then nothing is known.

        ``meanwhile`` is called once the request is on its way: the time in which the device works is free.
        """
        while True:
            await self._rested(unit)
            async with self._turns.take(unit.number, is_urgent):
                if link is None or link is not self._link:
                    raise NotConnected(f"no answer from {self.endpoint}: the connection was lost")
                if self._must_rest(unit):
                    continue  # another request to this unit was made, or failed, while we waited for the turn
                if self._quiet_s:
                    await self._silence()
                return await self._transact(link, unit, request, meanwhile)

    async def _open(self, unit: Unit, asked_s: float) -> Link:
        """Open the line. Of many units that wait for a line that does not open, one tries and all are told."""
        failed_s, reason = self._refusal
        if failed_s > asked_s:
            raise NotConnected(reason)
        self._missed = 0
        self._buffer.clear()
        try:
            link = await self._opens(self._on_data, self._on_lost)
        except NotConnected as error:
            self._refusal = (time.monotonic(), str(error))
            raise
        self._quiet_s = time.monotonic() + unit.settle_s if unit.settle_s else 0.0
        return link

    async def _transact(self, link: Link, unit: Unit, request: Request, meanwhile: Callable[[], None] | None) -> bytes:
        self._transaction = self._transaction % 0xFFFF + 1
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[bytes] = loop.create_future()
        self._asked = _Open(unit.number, self._transaction, request, answer)
        self._framing.overhear(self._buffer)
        self._framing.stranger = None
        started_s = time.monotonic()
        timer = loop.call_later(unit.timeout_s, _give_up, answer)
        try:
            link.send(self._framing.wrap(unit.number, self._transaction, request.pdu))
            if meanwhile is not None:
                meanwhile()
            pdu = await answer
        except TimeoutError:
            self._missed_by(unit, time.monotonic() - started_s)
            stranger = self._framing.stranger
            hint = f", but unit {stranger} answered; is 'unit: {stranger}' meant?" if stranger is not None else ""
            raise NotConnected(f"no answer from {self._name(unit)} within {unit.timeout_s:g} s{hint}") from None
        except asyncio.CancelledError:
            self._given_up(unit)
            raise
        finally:
            timer.cancel()
            self._asked = None
            self._rest(unit)
        self._missed = 0
        self._demotion.answered(unit.number, time.monotonic())
        return pdu

    def _on_data(self, data: bytes) -> None:
        self._buffer += data
        try:
            self._understand(self._asked)
        except ValueError as error:
            self._drop(str(error))

    def _understand(self, asked: _Open | None) -> None:
        """See whether the answer has come. Raises ValueError for what cannot be Modbus."""
        if asked is None or asked.answer.done():
            self._framing.overhear(self._buffer)  # too late, or another master's talk
            return
        pdu = self._framing.find(self._buffer, asked.unit, asked.transaction, asked.request)
        if pdu is not None and asked.request.is_answered_by(pdu):
            asked.answer.set_result(pdu)
        elif pdu is not None:
            fault = f"unit {asked.unit} at {self.endpoint} answers nonsense ({pdu[:8].hex(' ')})"
            asked.answer.set_exception(NotConnected(fault))

    def _on_lost(self, reason: str) -> None:
        self._link = None
        if self._asked is not None and not self._asked.answer.done():
            self._asked.answer.set_exception(NotConnected(f"no answer from {self.endpoint}: {reason}"))

    def _drop(self, reason: str) -> None:
        if self._link is not None:
            self._link.close()
            self._on_lost(reason)

    def _missed_by(self, unit: Unit, took_s: float) -> None:
        """One dead unit is no reason to take the line from the others; but if none of them answers, it is."""
        self._missed += self._demotion.was_heard(unit.number)
        rest_s = 0.0 if self._framing.has_transactions else unit.timeout_s
        self._demotion.missed(unit.number, time.monotonic(), took_s, rest_s)
        if self._missed >= _PATIENCE or all(map(self._demotion.is_silent, self._users.values())):
            self._drop("no answer")

    def _given_up(self, unit: Unit) -> None:
        """Nobody waits for the answer any more, but it may come, and must not be taken for the next one."""
        if not self._framing.has_transactions:
            self._demotion.rests[unit.number] = time.monotonic() + unit.timeout_s

    async def _allowed(self, unit: Unit) -> None:
        """Wait until a unit that did not answer may be asked again. Raises NotConnected if that takes too long."""
        now_s, is_shared = time.monotonic(), len(set(self._users.values())) > 1
        wait_s = self._demotion.wait_s(unit.number, now_s, is_shared)
        if wait_s > unit.timeout_s:
            raise NotConnected(f"{self._name(unit)} did not answer, and must not hold up the others; it waits its turn")
        self._demotion.reserve(unit.number, unit.timeout_s, now_s + wait_s)
        if wait_s > 0:
            await asyncio.sleep(wait_s)

    async def _rested(self, unit: Unit) -> None:
        """Wait until ``unit`` may be asked; nobody else waits meanwhile, the turn is taken afterwards."""
        if self._demotion.is_of_use:
            await self._allowed(unit)
        if unit.pause_s:
            await asyncio.sleep(max(self._paused_s.get(unit.number, 0.0) - time.monotonic(), 0.0))

    def _must_rest(self, unit: Unit) -> bool:
        if not (self._demotion.is_of_use or unit.pause_s):
            return False
        until_s = max(self._demotion.rests.get(unit.number, 0.0), self._paused_s.get(unit.number, 0.0))
        return until_s > time.monotonic()

    async def _silence(self) -> None:
        """Let the line rest."""
        wait_s = self._quiet_s - time.monotonic()
        if wait_s > 0:
            await asyncio.sleep(wait_s)

    def _rest(self, unit: Unit) -> None:
        if self._silence_s:
            self._quiet_s = time.monotonic() + self._silence_s
        if unit.pause_s:
            self._paused_s[unit.number] = time.monotonic() + unit.pause_s

    def _name(self, unit: Unit) -> str:
        return f"unit {unit.number} at {self.endpoint}"


class Buses:
    """The shared lines of this process, by their endpoints: a port exists once, however many devices are on it."""

    def __init__(self) -> None:
        self._lines: WeakValueDictionary[tuple[int, str], Bus] = WeakValueDictionary()

    def at(self, endpoint: str, settings: str, make: Callable[[str], Bus]) -> Bus:
        """Return the line at ``endpoint``, made anew if nobody uses it.

        Raises NotConnected if somebody uses it with other settings (baud rate, framing …).
        """
        key = (id(asyncio.get_running_loop()), endpoint)
        bus = self._lines.get(key)
        if bus is not None and bus.settings == settings:
            return bus
        if bus is not None and bus.is_used:
            raise NotConnected(f"{endpoint} is open for another device with other settings; give both the same")
        bus = self._lines[key] = make(settings)
        return bus


def _give_up(answer: asyncio.Future[bytes]) -> None:
    if not answer.done():
        answer.set_exception(TimeoutError())
