"""From the octets of a block to the samples of its points, prepared once and quick ever after. Pure."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Protocol

from agent.core.model import Instant, Sample, Value
from drivers.modbus.codec import FORMS, Codec, Octets
from drivers.modbus.options import ModbusPoint
from drivers.modbus.plan import Block, Span

_BITS = [tuple(bool(octet >> bit & 1) for bit in range(8)) for octet in range(256)]


@dataclass(frozen=True)
class Wired:
    """A point with everything prepared to read and write it."""

    options: ModbusPoint
    codec: Codec
    span: Span


class Reader(Protocol):
    """Understands the data of one block's answer."""

    def read(self, data: bytes, now: Instant) -> list[Sample]:
        """Return a sample for each point of the block."""


def reader_of(block: Block, wired: Mapping[str, Wired]) -> Reader:
    """Return what reads ``block``."""
    return _Bits(block) if block.table.is_bits else _Registers(block, wired)


class _Bits:
    def __init__(self, block: Block) -> None:
        self._points = [span.point for span in block.spans]
        self._indexes = [span.offset - block.offset for span in block.spans]

    def read(self, data: bytes, now: Instant) -> list[Sample]:
        bits = list(chain.from_iterable(map(_BITS.__getitem__, data)))
        return Sample.good_batch(self._points, map(bits.__getitem__, self._indexes), now)


class _Registers:
    def __init__(self, block: Block, wired: Mapping[str, Wired]) -> None:
        rest = [_Item(span.point, wired[span.point].codec, span.offset - block.offset) for span in block.spans]
        self._runs: list[_Run] = []
        while rest:
            run, rest = _take_run(rest)
            self._runs.append(run)
        self._exchanges = any(run.layout.is_exchanged for run in self._runs)

    def read(self, data: bytes, now: Instant) -> list[Sample]:
        octets = Octets.of(data) if self._exchanges else Octets(data, b"")
        return [sample for run in self._runs for sample in run.read(octets, now)]


@dataclass(frozen=True)
class _Item:
    point: str
    codec: Codec
    first: int
    """Register of the block that it begins with."""


def _take_run(items: Iterable[_Item]) -> tuple[_Run, list[_Item]]:
    """Take out those that one ``struct`` can unpack: one after the other, laid out alike. The others are left."""
    taken: list[_Item] = []
    left: list[_Item] = []
    for item in items:
        fits = not taken or (item.codec.layout == taken[0].codec.layout and item.codec.layout.order is None)
        if fits and (not taken or 2 * item.first >= 2 * taken[-1].first + taken[-1].codec.size or _same(item, taken)):
            taken.append(item)
        else:
            left.append(item)
    return _Run(taken), left


def _same(item: _Item, taken: Sequence[_Item]) -> bool:
    """Tell whether an item is in the same registers as the last one (as bits of a status word are)."""
    last = taken[-1]
    return (item.first, item.codec.size) == (last.first, last.codec.size) and _form(item) == _form(last)


def _form(item: _Item) -> str:
    return FORMS.get(item.codec.kind) or f"{item.codec.size}s"


class _Run:
    """Points that are unpacked together."""

    def __init__(self, items: Sequence[_Item]) -> None:
        self.layout = items[0].codec.layout
        self._items = items
        self._points = [item.point for item in items]
        self._is_plain = self.layout.order is None and all(item.codec.is_plain for item in items)
        self._has_floats = any(item.codec.kind.startswith("float") for item in items)
        self._struct, self._indexes = _layout(items)
        self._is_one_to_one = self._indexes == list(range(len(items)))

    def read(self, octets: Octets, now: Instant) -> list[Sample]:
        """Return a sample for each point."""
        if not self._is_plain:
            return self._converted(octets, now)
        raws = self._struct.unpack_from(octets.exchanged if self.layout.is_exchanged else octets.straight)
        if self._has_floats and not math.isfinite(sum(raws)):
            return self._converted(octets, now)
        values = raws if self._is_one_to_one else map(raws.__getitem__, self._indexes)
        return Sample.good_batch(self._points, values, now)

    def _converted(self, octets: Octets, now: Instant) -> list[Sample]:
        if self.layout.order is not None:
            return [_one(item, item.codec.raw(octets, item.first), now) for item in self._items]
        raws = self._struct.unpack_from(octets.exchanged if self.layout.is_exchanged else octets.straight)
        try:
            values: list[Value] = [
                item.codec.convert(raws[index]) for item, index in zip(self._items, self._indexes, strict=True)
            ]
        except ValueError:
            pairs = zip(self._items, self._indexes, strict=True)
            return [_one(item, raws[index], now) for item, index in pairs]
        return Sample.good_batch(self._points, values, now)


def _one(item: _Item, raw: int | float | bytes, now: Instant) -> Sample:
    try:
        return Sample.good(item.point, item.codec.convert(raw), now)
    except ValueError as error:
        return Sample.bad(item.point, str(error), now)


def _layout(items: Sequence[_Item]) -> tuple[struct.Struct, list[int]]:
    """Return one format for all the items, with holes as padding, and which of its fields each item takes."""
    form, end, fields = items[0].codec.layout.end, 0, 0
    indexes: list[int] = []
    for item in items:
        begin = 2 * item.first
        if begin >= end:
            form += f"{begin - end}x{_form(item)}" if begin > end else _form(item)
            end, fields = begin + item.codec.size, fields + 1
        indexes.append(fields - 1)
    return struct.Struct(form), indexes
