"""What to send so that a point takes a value. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from agent.core.errors import Refused
from agent.core.model import Value
from drivers.modbus import pdu
from drivers.modbus.address import Table
from drivers.modbus.codec import Codec
from drivers.modbus.options import ModbusPoint
from drivers.scaling import to_switch

Step = Callable[[int], pdu.Request]
"""Makes a request; it is given the register that the step before it read."""


def steps(point: ModbusPoint, codec: Codec, value: Value) -> Sequence[Step]:
    """Return the requests of a write, in their order. Raises Refused for a value that does not fit the point."""
    try:
        return _steps(point, codec, value)
    except ValueError as error:
        raise Refused(str(error)) from error


def _steps(point: ModbusPoint, codec: Codec, value: Value) -> Sequence[Step]:
    offset, how = point.address.offset, point.write_with
    if point.address.table is Table.COIL:
        switch = to_switch(value)
        coil = pdu.write_coils(offset, [switch]) if how == "multiple" else pdu.write_coil(offset, switch)
        return (lambda _: coil,)
    if point.bit is not None:
        return _bit_steps(offset, how, *codec.mask(value))
    registers = codec.encode(value)
    request = pdu.write_register(offset, registers[0]) if how == "single" else pdu.write_registers(offset, registers)
    return (lambda _: request,)


def _bit_steps(offset: int, how: str, keep: int, put: int) -> Sequence[Step]:
    if how == "mask":
        return (lambda _: pdu.mask_register(offset, keep, put),)
    read = pdu.read(Table.HOLDING, offset, 1)
    return (lambda _: read, lambda present: pdu.write_register(offset, present & keep | put))
