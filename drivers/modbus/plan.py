"""Which blocks to read so that every point is covered once, with the fewest requests. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby

from drivers.modbus.options import Table


@dataclass(frozen=True, slots=True)
class Span:
    """What one point needs: ``count`` bits or registers from ``offset``. It is never torn apart."""

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

    def most(self, table: Table) -> int:
        """Return the largest request to ``table``."""
        return self.max_bits if table.is_bits else self.max_registers

    def hole(self, table: Table) -> int:
        """Return the largest hole in ``table``: sixteen bits travel in the place of one register."""
        return self.max_hole * 16 if table.is_bits else self.max_hole


@dataclass(frozen=True, eq=False)
class Block:
    """One request, and the points that it serves."""

    table: Table
    offset: int
    count: int
    spans: tuple[Span, ...]

    @property
    def end(self) -> int:
        """The first offset behind it."""
        return self.offset + self.count


def plan(spans: Iterable[Span], limits: Limits) -> list[Block]:
    """Return blocks that contain every span whole. Only a span that is itself too large exceeds a limit."""
    ordered = sorted(spans, key=lambda span: (span.table, span.offset, span.count))
    return [
        block for table, group in groupby(ordered, key=lambda s: s.table) for block in _blocks(table, group, limits)
    ]


def split(block: Block, limits: Limits) -> list[Block]:
    """Return two halves of a block that was refused, so that a single bad address can be found."""
    middle = len(block.spans) // 2
    halves = (block.spans[:middle], block.spans[middle:])
    return [half for spans in halves for half in plan(spans, limits)]


def joined(blocks: Iterable[Block], limits: Limits) -> list[Block]:
    """Join blocks that touch: what can be read apart can be read together, as far as one request reaches."""
    found: list[Block] = []
    for block in sorted(blocks, key=lambda each: (each.table, each.offset)):
        last = found[-1] if found else None
        if last is None or not _touch(last, block, limits):
            found.append(block)
            continue
        end = max(last.end, block.end)
        found[-1] = Block(last.table, last.offset, end - last.offset, last.spans + block.spans)
    return found


def _touch(last: Block, block: Block, limits: Limits) -> bool:
    reach = max(last.end, block.end) - last.offset
    return last.table is block.table and block.offset <= last.end and reach <= limits.most(block.table)


def _blocks(table: Table, spans: Iterable[Span], limits: Limits) -> Iterator[Block]:
    most, hole = limits.most(table), limits.hole(table)
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
