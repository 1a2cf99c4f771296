"""Which blocks to read so that every point is covered once, with the fewest requests. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby

from drivers.modbus.options import Table


@dataclass(frozen=True, slots=True)
class Span:
    """What one point needs: ``count`` bits or registers from ``offset``."""

    table: Table
    offset: int
    count: int
    point: str

    @property
    def end(self) -> int:
        """The first offset behind it."""
        return self.offset + self.count


@dataclass(frozen=True)
class Limits:
    """The largest request in bits and in registers, and the largest hole worth reading (in registers)."""

    max_bits: int = 2000
    max_registers: int = 125
    max_hole: int = 16


@dataclass(frozen=True)
class Block:
    """One request, and the points that it serves."""

    table: Table
    offset: int
    count: int
    spans: tuple[Span, ...]


def plan(spans: Iterable[Span], limits: Limits) -> list[Block]:
    """Return blocks that contain every span whole. A span is never larger than a request."""
    ordered = sorted(spans, key=lambda span: (span.table, span.offset, span.count))
    return [
        block for table, group in groupby(ordered, key=lambda s: s.table) for block in _blocks(table, group, limits)
    ]


def split(block: Block, limits: Limits) -> list[Block]:
    """Return two halves of a block that was refused, so that a single bad address can be found."""
    middle = len(block.spans) // 2
    halves = (block.spans[:middle], block.spans[middle:])
    return [half for spans in halves for half in plan(spans, limits)]


def _blocks(table: Table, spans: Iterable[Span], limits: Limits) -> Iterator[Block]:
    most = limits.max_bits if table.is_bits else limits.max_registers
    hole = limits.max_hole * 16 if table.is_bits else limits.max_hole
    held: list[Span] = []
    end = 0
    for span in spans:
        if held and (span.offset - end > hole or max(end, span.end) - held[0].offset > most):
            yield _block(table, held, end)
            held = []
        end = max(end, span.end) if held else span.end
        held.append(span)
    if held:
        yield _block(table, held, end)


def _block(table: Table, spans: list[Span], end: int) -> Block:
    return Block(table, spans[0].offset, end - spans[0].offset, tuple(spans))
