"""Registers to values and back. Pure.

Word orders name the octets of a value as they arrive, A the most significant: ABCD is big-endian,
CDAB has its words swapped, BADC the octets in each word, DCBA both; 64 bits are written alike with
eight letters, and the four-letter names mean the same swaps there. Four of the eight orders need no
shuffling: each is a big- or little-endian number in the octets as they arrived, or with the two octets
of every register exchanged. The others swap the halves of 64 bits as well.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import NamedTuple

from agent.core.model import Value
from drivers.modbus.options import ModbusPoint
from drivers.scaling import Scaling, to_switch

FORMS = {
    "bool": "H", "int16": "h", "uint16": "H", "int32": "i", "uint32": "I", "int64": "q", "uint64": "Q",
    "float32": "f", "float64": "d", "bcd16": "H", "bcd32": "I", "bcd64": "Q",
}  # fmt: skip
_LONG = {"ABCD": "ABCDEFGH", "CDAB": "GHEFCDAB", "BADC": "BADCFEHG", "DCBA": "HGFEDCBA"}


class Octets(NamedTuple):
    """The registers of one block: octets as they arrived, and exchanged in every register."""

    straight: bytes
    exchanged: bytes

    @classmethod
    def of(cls, data: bytes) -> Octets:
        """Exchange the octets of ``data`` once for all the points of a block."""
        exchanged = bytearray(len(data))
        exchanged[::2], exchanged[1::2] = data[1::2], data[::2]
        return cls(data, bytes(exchanged))


class Layout(NamedTuple):
    """Where the octets of a value are found: in which form of a block, in which endianness, and in what order."""

    is_exchanged: bool
    end: str
    order: tuple[int, ...] | None = None
    """How to shuffle eight octets into big-endian order; None: they need no shuffling."""

    @classmethod
    def of(cls, word_order: str, kind: str) -> Layout:
        """Return the layout of a value."""
        name = word_order if FORMS.get(kind, "s") not in "qQd" else _LONG.get(word_order, word_order)
        if name in ("CDABGHEF", "EFGHABCD", "FEHGBADC", "DCBAHGFE"):
            return cls(False, ">", tuple(name.index(letter) for letter in "ABCDEFGH"))
        return _PLAIN[name]


_PLAIN = {
    "ABCD": Layout(False, ">"), "ABCDEFGH": Layout(False, ">"),
    "DCBA": Layout(False, "<"), "HGFEDCBA": Layout(False, "<"),
    "BADC": Layout(True, ">"), "BADCFEHG": Layout(True, ">"),
    "CDAB": Layout(True, "<"), "GHEFCDAB": Layout(True, "<"),
}  # fmt: skip


class Codec:
    """Reads and writes one point that lives in registers."""

    def __init__(self, point: ModbusPoint) -> None:
        self.kind = point.kind
        self.layout = Layout.of(point.word_order, point.kind)
        self.size = 2 * point.count
        self.scaling = Scaling.of(point)
        self._bit = point.bit
        self._encoding = point.encoding
        self._control = point.control
        self._form = struct.Struct(self.layout.end + FORMS[point.kind]) if point.kind in FORMS else None
        self._words = struct.Struct(f"{'<' if self.layout.is_exchanged else '>'}{point.count}H")

    @property
    def is_plain(self) -> bool:
        """Whether a finite raw number is the value."""
        return self._form is not None and self._bit is None and not self.is_bcd and self.scaling.is_identity

    @property
    def is_bcd(self) -> bool:
        """Whether each four bits hold a decimal digit."""
        return self.kind.startswith("bcd")

    def decode(self, octets: Octets, first: int) -> Value:
        """Return the engineering value that begins at register ``first``.

        Raises ValueError for NaN and infinity, for what is no BCD, and for text that is not in its encoding.
        """
        return self.convert(self.raw(octets, first))

    def raw(self, octets: Octets, first: int) -> int | float | bytes:
        """Return the number, or the octets of a text, that begins at register ``first``."""
        data = octets.exchanged if self.layout.is_exchanged else octets.straight
        if self._form is None:
            return data[2 * first : 2 * first + self.size]
        if self.layout.order is not None:
            data, first = bytes(data[2 * first + index] for index in self.layout.order), 0
        number: int | float = self._form.unpack_from(data, 2 * first)[0]
        return number

    def convert(self, raw: int | float | bytes) -> Value:
        """Return the engineering value of what ``raw`` returned. Raises ValueError as ``decode`` does."""
        if isinstance(raw, bytes):
            return raw.split(b"\0", 1)[0].decode(self._encoding).strip()
        if self._bit is not None:
            return bool(int(raw) >> self._bit & 1)
        return self.scaling.apply(_from_bcd(int(raw)) if self.is_bcd else raw)

    def encode(self, value: Value) -> list[int]:
        """Return the registers to write. Raises ValueError for a value that does not fit."""
        try:
            found = self._words.unpack(self._to_octets(value))
        except (struct.error, OverflowError, UnicodeEncodeError):
            raise ValueError(f"{value!r} does not fit into {self.kind}") from None
        if any(register & self._control for register in found):
            raise ValueError(f"{value!r} does not fit beside 'control: {self._control}'")
        return [register | self._control for register in found]

    def mask(self, value: Value) -> tuple[int, int]:
        """Return which bits of the register to keep, and which to set, so that one bit becomes ``value``."""
        assert self._form is not None
        (bit,) = self._words.unpack(self._form.pack(1 << (self._bit or 0)))
        return 0xFFFF & ~bit, bit if to_switch(value) else 0

    def _to_octets(self, value: Value) -> bytes:
        if self._form is None:
            if value is None:
                raise ValueError("None is no text")
            return str(value).encode(self._encoding).ljust(self.size, b"\0")
        is_float = self.kind.startswith("float")
        number = self.scaling.invert(value) if is_float else self.scaling.invert_whole(value)
        octets = self._form.pack(_to_bcd(int(number), self.size) if self.is_bcd else number)
        order = self.layout.order
        return octets if order is None else bytes(octets[order.index(index)] for index in range(8))


def _from_bcd(raw: int) -> int:
    digits = f"{raw:x}"
    if not digits.isdecimal():
        raise ValueError(f"the device sent {raw:#x}, which is no BCD")
    return int(digits)


def _to_bcd(number: int, size: int) -> int:
    if not 0 <= number < 10 ** (2 * size):
        raise OverflowError
    return int(str(number), 16)


def registers(data: bytes) -> Sequence[int]:
    """Return the registers in ``data``."""
    return struct.unpack(f">{len(data) // 2}H", data)
