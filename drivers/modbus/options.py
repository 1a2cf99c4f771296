"""What ``site.yaml`` may say of a Modbus point."""

from __future__ import annotations

from collections.abc import Hashable, Set
from typing import Literal

from pydantic import Field, model_validator

from agent.core.durations import Duration
from agent.core.options import PointOptions
from drivers.modbus.address import Address
from drivers.scaling import conversion_fault

MAX_WRITE = 123
"""Registers in one write, by the protocol."""
RegisterType = Literal[
    "bool", "int16", "uint16", "int32", "uint32", "int64", "uint64", "float32", "float64",
    "bcd16", "bcd32", "bcd64", "string",
]  # fmt: skip
REGISTERS: dict[str, int] = {
    "bool": 1, "int16": 1, "uint16": 1, "bcd16": 1, "int32": 2, "uint32": 2, "float32": 2, "bcd32": 2,
    "int64": 4, "uint64": 4, "float64": 4, "bcd64": 4,
}  # fmt: skip
WordOrder = Literal[
    "ABCD", "CDAB", "BADC", "DCBA",
    "ABCDEFGH", "GHEFCDAB", "BADCFEHG", "HGFEDCBA", "CDABGHEF", "EFGHABCD", "DCBAHGFE", "FEHGBADC",
]  # fmt: skip
WriteWith = Literal["single", "multiple", "mask", "read-modify-write"]


class ModbusPoint(PointOptions):
    """One point. ``type`` defaults to bool for coils and discrete inputs, to uint16 for registers."""

    address: Address
    type: RegisterType | None = None
    word_order: WordOrder = "ABCD"
    bit: int | None = Field(default=None, ge=0, le=15, description="of a register; 0 is the least significant")
    length: int = Field(default=8, ge=1, le=125, description="registers of a string")
    encoding: Literal["latin-1", "utf-8", "gb18030"] = "latin-1"
    poll: Duration | None = Field(default=None, gt=0, description="instead of the device's")
    control: int = Field(default=0, ge=0, le=65535, description="bits set in what is written, absent from what is read")
    write: WriteWith | None = Field(default=None, description="function 5 or 6, 15 or 16, 22, or 3 and 16")

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

    @property
    def write_with(self) -> WriteWith:
        """How it is written: a bit of a register by mask, one bit or register singly, more together."""
        if self.write is not None:
            return self.write
        if self.bit is not None:
            return "mask"
        return "single" if self.count == 1 else "multiple"

    def places(self) -> Set[Hashable]:
        """Return its coils, or the bits of its registers."""
        table, offsets = self.address.table, range(self.address.offset, self.address.offset + self.count)
        if table.is_bits:
            return {(table, offset) for offset in offsets}
        bits = range(16) if self.bit is None else [self.bit]
        return {(table, offset, bit) for offset in offsets for bit in bits}

    @model_validator(mode="after")
    def _fits_together(self) -> ModbusPoint:
        fault = self._type_fault() or self._order_fault() or self._write_fault() or conversion_fault(self)
        if fault:
            raise ValueError(fault)
        if self.kind in ("bool", "string") and self.model_fields_set & {"scale", "offset", "clamp", "values"}:
            raise ValueError(
                "'scale', 'offset', 'clamp' and 'values' are for numbers, "
                f"not for a {self.kind}; an address has its own offset"
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
        return ""

    def _order_fault(self) -> str:
        if self.kind == "string" and self.word_order not in ("ABCD", "BADC"):
            return f"a string has no word order {self.word_order}; write ABCD, or BADC if each two letters are swapped"
        if len(self.word_order) == 8 and REGISTERS.get(self.kind) != 4:
            return f"the word order {self.word_order} is for 64 bits, not for a {self.kind}; write ABCD, CDAB, …"
        return ""

    def _write_fault(self) -> str:
        table, how = self.address.table, self.write_with
        if self.writable and not table.is_writable:
            return f"the table {table} cannot be written; use a coil or a holding register, or leave 'writable' out"
        if self.writable and self.count > MAX_WRITE:
            return f"{self.count} registers cannot be written at once; 'length' may be {MAX_WRITE} at most"
        if (self.bit is not None) is not (how in ("mask", "read-modify-write")):
            return (
                f"'write: {how}' does not fit; a bit of a register takes mask or read-modify-write, all else does not"
            )
        if self.control and (self.count > 1 or self.kind not in ("uint16", "int16")):
            return f"'control' is for a point of one register and type uint16 or int16, not for a {self.kind}"
        if how == "single" and self.count > 1:
            return f"'write: single' writes one register, and a {self.kind} takes {self.count}; write: multiple"
        return ""
