"""A live session with one unit: what is read when, and what becomes of the answers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import NamedTuple
from weakref import WeakKeyDictionary

from agent.core.errors import NotConnected, Refused
from agent.core.model import Sample, Value
from agent.core.ports import Clock, Inspection
from drivers.modbus import pdu
from drivers.modbus.bus import Bus, Unit
from drivers.modbus.groups import Group, Groups
from drivers.modbus.harvest import Harvest
from drivers.modbus.inspection import inspection
from drivers.modbus.link import Link
from drivers.modbus.plan import Block, Limits, plan, split
from drivers.modbus.reader import Reader, Wired, reader_of
from drivers.modbus.schedule import Answer, Search
from drivers.modbus.writing import steps


class Prepared(NamedTuple):
    """What is made once for a block: how to ask for it, and how to understand the answer."""

    request: pdu.Request
    reader: Reader


class ModbusSession:
    """Polls each group of points at its own fixed cadence; slots that were missed are skipped, not made up for."""

    def __init__(
        self, bus: Bus, unit: Unit, wired: Mapping[str, Wired], limits: Limits, groups: Groups, clock: Clock
    ) -> None:
        self._bus, self._unit = bus, unit
        self._wired, self._limits, self._groups, self._clock = wired, limits, groups, clock
        self._ready: WeakKeyDictionary[Block, Prepared] = WeakKeyDictionary()
        self._writing = asyncio.Lock()
        self._link: Link | None = None

    async def open(self) -> None:
        """Take hold of the line. Raises NotConnected."""
        self._link = await self._bus.attach(self, self._unit)

    async def read(self) -> Sequence[Sample]:
        """Wait for the next poll slot and read its blocks, or as many as fit before a more frequent group is due."""
        group = await self._due()
        if not self._bus.serves(self._link):
            raise NotConnected(f"no answer from {self._bus.endpoint}: the connection was lost")
        harvest = Harvest(self._reader, group.begin(self._clock.now()))
        while (block := group.next_block()) is not None:
            group.took(await self._resolve(block, harvest, group.search))
            if self._groups.is_preempted(group, self._clock.now().mono_s):
                return harvest.samples()
        group.finish(self._clock.now().mono_s)
        return harvest.samples()

    async def fetch(self, points: Collection[str]) -> Sequence[Sample]:
        """Read these points now, before any poll that waits for its turn."""
        blocks = plan([self._wired[point].span for point in points], self._limits)
        harvest, search = Harvest(self._reader), Search()
        for block in blocks:
            await self._resolve(block, harvest, search, is_urgent=True)
        return harvest.samples()

    async def write(self, point: str, value: Value) -> None:
        """Write one point; the response confirms it. Two writes never mix, as one may take several requests."""
        wire = self._wired[point]
        if not wire.options.writable:
            raise Refused(f"{point} is not 'writable' in the site's file")
        async with self._writing:
            present = 0
            for step in steps(wire.options, wire.codec, value):
                answer = await self._ask(step(present), is_urgent=True)
                if code := pdu.exception_code(answer):
                    raise Refused(pdu.reason(code))
                present = int.from_bytes(answer[2:4], "big")

    async def inspect(self, points: Collection[str]) -> Sequence[Inspection]:
        """Read these points and show the octets behind them, and every way to understand them."""
        found: list[Inspection] = []
        for point in points:
            wire = self._wired[point]
            if not wire.span.table.is_bits:
                answer = await self._ask(pdu.read(wire.span.table, wire.span.offset, wire.span.count))
                found.append(inspection(point, wire.options, b"" if pdu.exception_code(answer) else answer[2:]))
        return found

    async def ask(self, request: pdu.Request) -> bytes:
        """Make one request, before any poll that waits for its turn. Raises NotConnected."""
        return await self._ask(request, is_urgent=True)

    async def close(self) -> None:
        """Leave the line; the last one closes it."""
        self._bus.detach(self)

    async def _due(self) -> Group:
        """Wait for the group whose slot comes first."""
        group, wait_s = self._groups.next(self._clock.now().mono_s)
        if wait_s > 0:
            await asyncio.sleep(wait_s)
        return group

    async def _resolve(self, block: Block, harvest: Harvest, search: Search, is_urgent: bool = False) -> list[Answer]:
        """Read a block; what the device refuses is halved until only the bad addresses are left without a value."""
        answer = await self._ask(self._prepared(block).request, is_urgent, meanwhile=harvest.decode)
        code, now = pdu.exception_code(answer), self._clock.now()
        if not code:
            harvest.add(block, answer, now)
            return [Answer(block)]
        is_single, is_busy = len(block.spans) == 1, code in pdu.BUSY
        if is_single or is_busy or search.is_over(now.mono_s):
            reason = pdu.reason(code)
            harvest.bad(block, reason, now)
            return [Answer(block, reason) if is_single and not is_busy else Answer(block, is_open=True)]
        halves = split(block, self._limits)
        return [answer for half in halves for answer in await self._resolve(half, harvest, search, is_urgent)]

    async def _ask(
        self, request: pdu.Request, is_urgent: bool = False, meanwhile: Callable[[], None] | None = None
    ) -> bytes:
        answer = await self._bus.ask(self._link, self._unit, request, is_urgent, meanwhile)
        code = pdu.exception_code(answer)
        if code in pdu.GONE:
            raise NotConnected(f"unit {self._unit.number} behind {self._bus.endpoint}: {pdu.reason(code)}")
        return answer

    def _prepared(self, block: Block) -> Prepared:
        ready = self._ready.get(block)
        if ready is None:
            request = pdu.read(block.table, block.offset, block.count)
            ready = self._ready[block] = Prepared(request, reader_of(block, self._wired))
        return ready

    def _reader(self, block: Block) -> Reader:
        return self._prepared(block).reader
