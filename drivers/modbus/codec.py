"""Registers to values and back. Pure.

Word orders name the bytes of a 32-bit value as they arrive: ABCD is big-endian, CDAB has its words
swapped, BADC the bytes in each word, DCBA both. For 64 bits the same words are reversed as a whole.
Nothing is shuffled: each order is a big- or little-endian number in the block's octets as they
arrived (ABCD, DCBA) or with the two octets of every register exchanged (BADC, CDAB).
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import NamedTuple

from agent.core.model import Value
from drivers.modbus.options import ModbusPoint
from drivers.scaling import Scaling

_FORMS = {
    "bool": "H", "int16": "h", "uint16": "H", "int32": "i", "uint32": "I", "int64": "q", "uint64": "Q",
    "float32": "f", "float64": "d",
}  # fmt: skip


class Octets(NamedTuple):
    """The registers of one block: octets as they arrived, and exchanged in every register."""

    straight: bytes
    exchanged: bytes

    @classmethod
    def of(cls, registers: Sequence[int]) -> Octets:
        """Pack registers, once for all the points of a block."""
        count = len(registers)
        return cls(struct.pack(f">{count}H", *registers), struct.pack(f"<{count}H", *registers))


class Codec:
    """Reads and writes one point that lives in registers. Engineering value = raw × scale + offset."""

    def __init__(self, point: ModbusPoint) -> None:
        end = "<" if point.word_order in ("CDAB", "DCBA") else ">"
        self._kind = point.kind
        self._bit = point.bit
        self._is_exchanged = point.word_order in ("BADC", "CDAB")
        self._size = 2 * point.count
        self._form = struct.Struct(end + _FORMS[point.kind]) if point.kind in _FORMS else None
        self._words = struct.Struct(f"{'<' if self._is_exchanged else '>'}{point.count}H")
        self._scaling = Scaling.of(point)

    def decode(self, octets: Octets, first: int) -> Value:
        """Return the engineering value that begins at register ``first``. Raises ValueError for NaN and infinity."""
        data = octets.exchanged if self._is_exchanged else octets.straight
        if self._form is None:
            text = data[2 * first : 2 * first + self._size]
            return text.split(b"\0", 1)[0].decode("latin-1").strip()
        raw: int | float = self._form.unpack_from(data, 2 * first)[0]
        return self._scaling.apply(raw) if self._bit is None else bool(int(raw) >> self._bit & 1)

    def encode(self, value: Value) -> list[int]:
        """Return the registers to write. Raises ValueError for a value that does not fit."""
        try:
            return list(self._words.unpack(self._to_octets(value)))
        except (struct.error, OverflowError, UnicodeEncodeError):
            raise ValueError(f"{value!r} does not fit into {self._kind}") from None

    def _to_octets(self, value: Value) -> bytes:
        if self._form is None:
            return str(value).encode("latin-1").ljust(self._size, b"\0")
        raw = self._scaling.invert(value)
        return self._form.pack(raw if self._kind.startswith("float") else round(raw))
