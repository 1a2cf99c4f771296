"""Registers to values and back. Pure.

Word orders name the bytes of a 32-bit value as they arrive: ABCD is big-endian, CDAB has its words
swapped, BADC the bytes in each word, DCBA both. For 64 bits the same words are reversed as a whole.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence

from agent.core.model import Value
from drivers.modbus.options import ModbusPoint

_FORMS = {
    "int16": "h", "uint16": "H", "int32": "i", "uint32": "I", "int64": "q", "uint64": "Q",
    "float32": "f", "float64": "d",
}  # fmt: skip


class Codec:
    """Reads and writes one point. Engineering value = raw × scale + offset."""

    def __init__(self, point: ModbusPoint) -> None:
        self._point = point
        self._count = point.count
        self._form = struct.Struct(">" + _FORMS[point.kind]) if point.kind in _FORMS else None
        self._words = struct.Struct(f">{self._count}H")
        self._swap_words = point.word_order in ("CDAB", "DCBA")
        self._swap_bytes = point.word_order in ("BADC", "DCBA")
        self._is_raw = point.scale == 1.0 and point.offset == 0.0

    def decode(self, registers: Sequence[int]) -> Value:
        """Return the engineering value. Raises ValueError for what is no number (NaN, infinity)."""
        if self._point.bit is not None:
            return bool(registers[0] >> self._point.bit & 1)
        octets = self._order(self._words.pack(*registers))
        if self._form is None:
            return octets.split(b"\0", 1)[0].decode("latin-1").strip()
        raw: int | float = self._form.unpack(octets)[0]
        if isinstance(raw, float) and not math.isfinite(raw):
            raise ValueError(f"the device sent {raw}")
        return raw if self._is_raw else round(raw * self._point.scale + self._point.offset, 9)

    def encode(self, value: Value) -> list[int]:
        """Return the registers to write. Raises ValueError for a value that does not fit."""
        if self._form is None:
            text = str(value).encode("latin-1", "replace").ljust(self._count * 2, b"\0")
            return self._to_words(text[: self._count * 2])
        if isinstance(value, str) or value is None:
            raise ValueError(f"{value!r} is not a number")
        raw = (value - self._point.offset) / self._point.scale
        try:
            return self._to_words(self._form.pack(raw if self._point.kind.startswith("float") else round(raw)))
        except (struct.error, OverflowError):
            raise ValueError(f"{value!r} does not fit into {self._point.kind}") from None

    def _to_words(self, octets: bytes) -> list[int]:
        return list(self._words.unpack(self._order(octets)))

    def _order(self, octets: bytes) -> bytes:
        if self._swap_words:
            octets = b"".join(octets[index : index + 2] for index in range(len(octets) - 2, -1, -2))
        if self._swap_bytes:
            octets = b"".join(octets[index : index + 2][::-1] for index in range(0, len(octets), 2))
        return octets
