"""The Modbus driver and its session. pymodbus frames and matches; when, what and what then is decided here."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pymodbus import FramerType, ModbusException
from pymodbus.client import AsyncModbusTcpClient
from pymodbus.pdu import ModbusPDU

from agent.core.errors import NotConnected, Refused
from agent.core.model import PointInfo, Sample, Value
from agent.core.ports import Clock, Session
from drivers.modbus.codec import Codec
from drivers.modbus.options import ModbusDevice, ModbusPoint, Table
from drivers.modbus.plan import Block, Limits, Span, plan, split

logging.getLogger("pymodbus").setLevel(logging.CRITICAL)  # what it reports reaches the caller as an error

QUARANTINE_S = 30.0
"""An address that the device refuses is asked again after this long."""
_REFUSALS = {1: "illegal function", 2: "illegal data address", 3: "illegal data value"}
_REASONS = {
    **_REFUSALS,
    4: "device failure",
    5: "acknowledge, still busy",
    6: "device busy",
    8: "memory parity error",
    10: "gateway path unavailable",
    11: "gateway target failed to respond",
}


@dataclass(frozen=True)
class _Wired:
    options: ModbusPoint
    codec: Codec
    span: Span


class ModbusDriver:
    """One unit behind a TCP endpoint. See ``agent.core.ports.Driver``."""

    def __init__(self, device_id: str, device: ModbusDevice, points: Mapping[str, ModbusPoint], clock: Clock) -> None:
        self._device = device
        self._clock = clock
        stale_s = max(3 * device.poll, device.poll + device.timeout)
        self.points = [_info(f"{device_id}.{name}", point, stale_s) for name, point in points.items()]
        self._wired = {f"{device_id}.{name}": _wire(f"{device_id}.{name}", point) for name, point in points.items()}

    async def connect(self) -> Session:
        """Open a fresh connection; an old client is never used again."""
        device = self._device
        client = AsyncModbusTcpClient(
            device.host,
            port=device.port,
            framer=FramerType.SOCKET,
            timeout=device.timeout,
            retries=0,
            reconnect_delay=0,
        )
        try:
            async with asyncio.timeout(device.timeout):
                connected = await client.connect()
        except (TimeoutError, OSError):
            connected = False
        if not connected:
            client.close()
            raise NotConnected(f"no connection to {device.host}:{device.port}")
        return ModbusSession(client, device, self._wired, self._clock)


class ModbusSession:
    """A live connection. Polls at a fixed cadence; slots that were missed are skipped, not made up for."""

    def __init__(
        self, client: AsyncModbusTcpClient, device: ModbusDevice, wired: Mapping[str, _Wired], clock: Clock
    ) -> None:
        self._client = client
        self._device = device
        self._wired = wired
        self._clock = clock
        self._limits = Limits(device.max_bits, device.max_registers, device.max_hole)
        self._blocks = plan([wire.span for wire in wired.values()], self._limits)
        self._refused_until_s: dict[Block, tuple[float, str]] = {}
        self._next_s = clock.now().mono_s

    async def read(self) -> Sequence[Sample]:
        """Wait for the next poll slot and read every block."""
        now_s = self._clock.now().mono_s
        await asyncio.sleep(max(self._next_s - now_s, 0.0))
        now_s = max(now_s, self._next_s)
        self._next_s += self._device.poll * (1 + (now_s - self._next_s) // self._device.poll)
        samples: list[Sample] = []
        for block in list(self._blocks):
            samples.extend(await self._read_block(block))
        return samples

    async def fetch(self, points: Collection[str]) -> Sequence[Sample]:
        """Read these points now."""
        blocks = plan([self._wired[point].span for point in points], self._limits)
        return [sample for block in blocks for sample in await self._read_block(block, learn=False)]

    async def write(self, point: str, value: Value) -> None:
        """Write one point; the response confirms it."""
        wire = self._wired[point]
        address, unit = wire.options.address, self._device.unit
        if address.table is Table.COIL:
            response = await self._ask(self._client.write_coil, address.offset, bool(value), device_id=unit)
        else:
            registers = _encoded(wire, value)
            response = await self._ask(self._client.write_registers, address.offset, registers, device_id=unit)
        if response.isError():
            raise Refused(_reason(response))

    async def close(self) -> None:
        """Close the socket."""
        self._client.close()

    async def _read_block(self, block: Block, learn: bool = True) -> list[Sample]:
        until_s, reason = self._refused_until_s.get(block, (0.0, ""))
        if learn and self._clock.now().mono_s < until_s:
            return self._bad(block, reason)
        response = await self._request(block)
        if not response.isError():
            return list(self._decode(block, response))
        reason = _reason(response)
        if not learn or response.exception_code not in _REFUSALS:
            return self._bad(block, reason)
        return await self._isolate(block, reason)

    async def _isolate(self, block: Block, reason: str) -> list[Sample]:
        """Find what the device refuses inside a block: split it, down to the point that is to blame."""
        if len(block.spans) == 1:
            self._refused_until_s[block] = (self._clock.now().mono_s + QUARANTINE_S, reason)
            return self._bad(block, reason)
        halves = split(block, self._limits)
        self._blocks[self._blocks.index(block) : self._blocks.index(block) + 1] = halves
        return [sample for half in halves for sample in await self._read_block(half)]

    async def _request(self, block: Block) -> ModbusPDU:
        read = {
            Table.COIL: self._client.read_coils,
            Table.DISCRETE: self._client.read_discrete_inputs,
            Table.INPUT: self._client.read_input_registers,
            Table.HOLDING: self._client.read_holding_registers,
        }[block.table]
        return await self._ask(read, block.offset, count=block.count, device_id=self._device.unit)

    async def _ask(self, request: Callable[..., Any], *args: Any, **options: Any) -> ModbusPDU:
        """Make one transaction. Whatever goes wrong with it, the connection is not to be trusted any more.

        pymodbus raises for a lost connection as soon as the request is made, before it is awaited.
        """
        try:
            async with asyncio.timeout(self._device.timeout * 2):
                return await request(*args, **options)  # type: ignore[no-any-return]
        except (ModbusException, OSError, TimeoutError) as error:
            raise NotConnected(f"no answer from {self._device.host}:{self._device.port}: {_short(error)}") from error

    def _decode(self, block: Block, response: ModbusPDU) -> Iterator[Sample]:
        now = self._clock.now()
        values: Sequence[int | bool] = response.bits if block.table.is_bits else response.registers
        if len(values) < block.count:
            raise NotConnected(f"a short answer: {len(values)} of {block.count} values")
        for span in block.spans:
            first = span.offset - block.offset
            if block.table.is_bits:
                yield Sample.good(span.point, bool(values[first]), now)
                continue
            try:
                value = self._wired[span.point].codec.decode(values[first : first + span.count])
            except ValueError as error:
                yield Sample.bad(span.point, str(error), now)
            else:
                yield Sample.good(span.point, value, now)

    def _bad(self, block: Block, reason: str) -> list[Sample]:
        now = self._clock.now()
        return [Sample.bad(span.point, reason, now) for span in block.spans]


def _wire(point_id: str, point: ModbusPoint) -> _Wired:
    span = Span(point.address.table, point.address.offset, point.count, point_id)
    return _Wired(point, Codec(point), span)


def _info(point_id: str, point: ModbusPoint, stale_s: float) -> PointInfo:
    stale_after_s = stale_s if point.stale_after is None else point.stale_after
    return PointInfo(point_id, point.unit, point.zone, point.description, point.writable, stale_after_s)


def _encoded(wire: _Wired, value: Value) -> list[int]:
    try:
        return wire.codec.encode(value)
    except ValueError as error:
        raise Refused(str(error)) from error


def _reason(response: ModbusPDU) -> str:
    code = response.exception_code
    return f"Modbus exception {code}: {_REASONS.get(code, 'unknown')}"


def _short(error: BaseException) -> str:
    text = str(error).replace("Modbus Error: ", "").split("]", 1)[-1].strip()
    return text or type(error).__name__
