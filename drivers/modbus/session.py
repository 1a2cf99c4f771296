"""A live Modbus connection. pymodbus frames and matches; when, what and what then is decided here."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from pymodbus import ModbusException
from pymodbus.client import AsyncModbusTcpClient
from pymodbus.pdu import ModbusPDU

from agent.core.errors import NotConnected, Refused
from agent.core.model import Sample, Value
from agent.core.ports import Clock
from drivers.modbus.codec import Codec, Octets
from drivers.modbus.options import ModbusDevice, ModbusPoint, Table
from drivers.modbus.plan import Block, Limits, Span, plan, split
from drivers.modbus.schedule import Answer, Schedule
from drivers.scaling import to_switch

ISOLATE_S = 1.0
"""Longest time that one poll spends on finding bad addresses; the next one goes on with it."""
_BUSY = {5: "acknowledged, still busy", 6: "device busy"}
_GONE = {10: "gateway path unavailable", 11: "gateway target failed to respond"}
_REASONS = {
    1: "illegal function",
    2: "illegal data address",
    3: "illegal data value",
    4: "device failure",
    8: "memory parity error",
    **_BUSY,
    **_GONE,
}


@dataclass(frozen=True)
class Wired:
    """A point with everything prepared to read and write it."""

    options: ModbusPoint
    codec: Codec
    span: Span


class ModbusSession:
    """Polls at a fixed cadence; slots that were missed are skipped, not made up for."""

    def __init__(
        self, client: AsyncModbusTcpClient, device: ModbusDevice, wired: Mapping[str, Wired], clock: Clock
    ) -> None:
        self._client = client
        self._device = device
        self._wired = wired
        self._clock = clock
        self._limits = Limits(device.max_bits, device.max_registers, device.max_hole)
        self._schedule = Schedule([wire.span for wire in wired.values()], self._limits)
        self._next_s = clock.now().mono_s

    async def read(self) -> Sequence[Sample]:
        """Wait for the next poll slot and read every block."""
        await self._slot()
        started_s = self._clock.now().mono_s
        probes = self._schedule.probes(started_s)
        samples = [sample for each in self._schedule.barred for sample in self._bad(each.block, each.reason)]
        answers: list[Answer] = []
        for block in (*self._schedule.blocks, *probes):
            answers += await self._resolve(block, started_s + ISOLATE_S)
        self._schedule.settle(answers, self._clock.now().mono_s)
        return [*samples, *(sample for answer in answers for sample in answer.samples)]

    async def fetch(self, points: Collection[str]) -> Sequence[Sample]:
        """Read these points now."""
        blocks = plan([self._wired[point].span for point in points], self._limits)
        until_s = self._clock.now().mono_s + ISOLATE_S
        answers = [answer for block in blocks for answer in await self._resolve(block, until_s)]
        return [sample for answer in answers for sample in answer.samples]

    async def write(self, point: str, value: Value) -> None:
        """Write one point; the response confirms it."""
        wire = self._wired[point]
        if not wire.options.writable:
            raise Refused(f"{point} is not 'writable' in the site's file")
        try:
            request = self._write_request(wire, value)
        except ValueError as error:
            raise Refused(str(error)) from error
        response = await self._ask(request)
        if response.isError():
            raise Refused(_reason(response))

    async def close(self) -> None:
        """Close the socket."""
        self._client.close()

    async def _slot(self) -> None:
        now_s = self._clock.now().mono_s
        await asyncio.sleep(max(self._next_s - now_s, 0.0))
        now_s = max(now_s, self._next_s)
        self._next_s += self._device.poll * (1 + (now_s - self._next_s) // self._device.poll)

    async def _resolve(self, block: Block, until_s: float) -> list[Answer]:
        """Read a block; what the device refuses is halved until only the bad addresses are left without a value."""
        response = await self._ask(lambda: self._read_request(block))
        if not response.isError():
            return [Answer(block, list(self._decode(block, response)))]
        reason, is_busy = _reason(response), response.exception_code in _BUSY
        if not is_busy and len(block.spans) == 1:
            return [Answer(block, self._bad(block, reason), refusal=reason)]
        if is_busy or self._clock.now().mono_s >= until_s:
            return [Answer(block, self._bad(block, reason))]
        return [answer for half in split(block, self._limits) for answer in await self._resolve(half, until_s)]

    def _read_request(self, block: Block) -> Awaitable[ModbusPDU]:
        read = {
            Table.COIL: self._client.read_coils,
            Table.DISCRETE: self._client.read_discrete_inputs,
            Table.INPUT: self._client.read_input_registers,
            Table.HOLDING: self._client.read_holding_registers,
        }[block.table]
        return read(block.offset, count=block.count, device_id=self._device.unit)

    def _write_request(self, wire: Wired, value: Value) -> Callable[[], Awaitable[ModbusPDU]]:
        """Return what sends the write: function 5 for a coil, 6 for one register, 16 for several."""
        client, offset, unit = self._client, wire.options.address.offset, self._device.unit
        if wire.options.address.table is Table.COIL:
            switch = to_switch(value)
            return lambda: client.write_coil(offset, switch, device_id=unit)
        registers = wire.codec.encode(value)
        if len(registers) == 1:
            return lambda: client.write_register(offset, registers[0], device_id=unit)
        return lambda: client.write_registers(offset, registers, device_id=unit)

    async def _ask(self, request: Callable[[], Awaitable[ModbusPDU]]) -> ModbusPDU:
        """Make one transaction. Whatever goes wrong with it, the connection is not to be trusted any more.

        pymodbus raises for a lost connection as soon as the request is made, before it is awaited.
        The limit is twice the timeout because another task's transaction may come first.
        """
        try:
            async with asyncio.timeout(self._device.timeout * 2):
                response = await request()
        except (ModbusException, OSError, TimeoutError) as error:
            self._client.close()  # a request that still waits for its turn must not be sent
            raise NotConnected(f"no answer from {self._device.host}:{self._device.port}: {_short(error)}") from error
        if response.isError() and response.exception_code in _GONE:
            raise NotConnected(f"unit {self._device.unit} behind {self._device.host}: {_reason(response)}")
        return response

    def _decode(self, block: Block, response: ModbusPDU) -> Iterator[Sample]:
        values: Sequence[int | bool] = response.bits if block.table.is_bits else response.registers
        if len(values) < block.count:
            raise NotConnected(f"{self._device.host} answered {len(values)} of {block.count} values")
        return self._switches(block, values) if block.table.is_bits else self._numbers(block, values)

    def _switches(self, block: Block, bits: Sequence[int | bool]) -> Iterator[Sample]:
        now, base = self._clock.now(), block.offset
        return (Sample.good(span.point, bool(bits[span.offset - base]), now) for span in block.spans)

    def _numbers(self, block: Block, registers: Sequence[int]) -> Iterator[Sample]:
        now, base, octets = self._clock.now(), block.offset, Octets.of(registers)
        for span in block.spans:
            try:
                value = self._wired[span.point].codec.decode(octets, span.offset - base)
            except ValueError as error:
                yield Sample.bad(span.point, str(error), now)
            else:
                yield Sample.good(span.point, value, now)

    def _bad(self, block: Block, reason: str) -> list[Sample]:
        now = self._clock.now()
        return [Sample.bad(span.point, reason, now) for span in block.spans]


def _reason(response: ModbusPDU) -> str:
    code = response.exception_code
    return f"Modbus exception {code}: {_REASONS.get(code, 'unknown')}"


def _short(error: BaseException) -> str:
    text = str(error).replace("Modbus Error: ", "").split("]", 1)[-1].strip()
    return text or type(error).__name__
