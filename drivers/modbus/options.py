"""What ``site.yaml`` may say of a Modbus device and its points."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from agent.core.durations import Duration
from agent.core.options import DeviceOptions, Options, PointOptions
from drivers.scaling import conversion_fault


class Table(StrEnum):
    """The four tables of the Modbus data model."""

    COIL = "coil"
    DISCRETE = "discrete"
    INPUT = "input"
    HOLDING = "holding"

    @property
    def is_bits(self) -> bool:
        """Tell whether the table holds bits, not registers."""
        return self in (Table.COIL, Table.DISCRETE)

    @property
    def is_writable(self) -> bool:
        """Tell whether a master may write to the table."""
        return self in (Table.COIL, Table.HOLDING)


class Address(Options):
    """A table and a 0-based offset, as they travel on the wire."""

    table: Table
    offset: int = Field(ge=0, le=65535)


MAX_WRITE = 123
"""Registers in one write, by the protocol."""
_REFERENCE = re.compile(r"([0134])(\d{4,5})")
_TABLES = {"0": Table.COIL, "1": Table.DISCRETE, "3": Table.INPUT, "4": Table.HOLDING}
_HELP = (
    "write a reference number of 5 or 6 digits that counts from 1 (40001 is the first holding register; "
    'quote one that begins with 0: "00001") or {table: holding, offset: 0}, which counts from 0'
)


def _address(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, int | str):
        return value
    match = _REFERENCE.fullmatch(str(value))
    number = int(match[2]) if match else 0
    if match is None or not 1 <= number <= 65536:
        raise ValueError(f"{value!r} is not a Modbus address; {_HELP}")
    return {"table": _TABLES[match[1]], "offset": number - 1}


RegisterType = Literal["bool", "int16", "uint16", "int32", "uint32", "int64", "uint64", "float32", "float64", "string"]
WordOrder = Literal["ABCD", "CDAB", "BADC", "DCBA"]
REGISTERS: dict[str, int] = {
    "bool": 1, "int16": 1, "uint16": 1, "int32": 2, "uint32": 2, "float32": 2, "int64": 4, "uint64": 4, "float64": 4,
}  # fmt: skip


class ModbusPoint(PointOptions):
    """One point. ``type`` defaults to bool for coils and discrete inputs, to uint16 for registers."""

    address: Annotated[Address, BeforeValidator(_address)]
    type: RegisterType | None = None
    word_order: WordOrder = "ABCD"
    bit: int | None = Field(default=None, ge=0, le=15, description="of a register; 0 is the least significant")
    length: int = Field(default=8, ge=1, le=125, description="registers of a string")

    @property
    def kind(self) -> str:
        """The type in force."""
        if self.type is not None:
            return self.type
        return "bool" if self.address.table.is_bits or self.bit is not None else "uint16"

    @property
    def count(self) -> int:
        """How many bits or registers the point takes."""
        return self.length if self.kind == "string" else REGISTERS[self.kind]

    @model_validator(mode="after")
    def _fits_together(self) -> ModbusPoint:
        fault = self._type_fault() or self._write_fault() or conversion_fault(self)
        if fault:
            raise ValueError(fault)
        if self.kind in ("bool", "string") and (self.scale, self.offset) != (1.0, 0.0):
            raise ValueError(
                f"'scale' and 'offset' are for numbers, not for a {self.kind}; an address has its own offset"
            )
        if self.address.offset + self.count > 65536:
            raise ValueError(f"a {self.kind} at offset {self.address.offset} does not fit: the last offset is 65535")
        return self

    def _type_fault(self) -> str:
        table = self.address.table
        if table.is_bits and self.kind != "bool":
            return f"a {table} holds one bit, not a {self.kind}; leave 'type' out"
        if not table.is_bits and self.kind == "bool" and self.bit is None:
            return "a bool in a register needs 'bit' (0 to 15)"
        if self.bit is not None and (table.is_bits or self.kind != "bool"):
            return "'bit' is for a bool in a register; leave it or 'type' out"
        if self.kind == "string" and self.word_order in ("CDAB", "DCBA"):
            return f"a string has no word order {self.word_order}; write ABCD, or BADC if each two letters are swapped"
        return ""

    def _write_fault(self) -> str:
        table = self.address.table
        if self.writable and not table.is_writable:
            return f"the table {table} cannot be written; use a coil or a holding register, or leave 'writable' out"
        if self.writable and self.bit is not None:
            return "a single bit of a register cannot be written; write the whole register"
        if self.writable and self.count > MAX_WRITE:
            return f"{self.count} registers cannot be written at once; 'length' may be {MAX_WRITE} at most"
        return ""


class ModbusDevice(DeviceOptions):
    """One unit behind a TCP endpoint."""

    host: str = Field(min_length=1)
    port: int = Field(default=502, ge=1, le=65535)
    unit: int = Field(default=1, ge=0, le=255)
    poll: Duration = Field(default=1.0, gt=0)
    timeout: Duration = Field(default=0.5, gt=0)
    max_registers: int = Field(default=125, ge=4, le=125, description="in one request")
    max_bits: int = Field(default=2000, ge=1, le=2000, description="in one request")
    max_hole: int = Field(default=16, ge=0, le=124, description="registers read in vain to save a request")
