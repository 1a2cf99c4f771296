"""Which blocks to read so that every point is covered once, at the least cost. Pure.

A request has a price, and so has every bit or register that is read in vain to save one; the planner
finds the partition of the points into blocks whose sum is least.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby

from drivers.modbus.address import Table


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
    """The largest request in bits and in registers, what things cost (seconds), and the largest hole allowed.

    ``max_hole`` is in registers; None: whatever its cost allows. The defaults are those of a network,
    where a request costs some milliseconds and a register next to nothing.
    """

    max_bits: int = 2000
    max_registers: int = 125
    max_hole: int | None = None
    request_s: float = 0.003
    register_s: float = 0.000_002

    def most(self, table: Table) -> int:
        """Return the largest request to ``table``."""
        return self.max_bits if table.is_bits else self.max_registers

    def hole(self, table: Table) -> int:
        """Return the largest hole in ``table``: sixteen bits travel in the place of one register."""
        if self.max_hole is None:
            return self.most(table)
        return self.max_hole * 16 if table.is_bits else self.max_hole

    def item_s(self, table: Table) -> float:
        """Return what one bit or register costs."""
        return self.register_s / 16 if table.is_bits else self.register_s


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

    def holds(self, other: Block) -> bool:
        """Tell whether it reads all that ``other`` reads."""
        return self.table is other.table and self.offset <= other.offset and other.end <= self.end


def plan(spans: Iterable[Span], limits: Limits) -> list[Block]:
    """Return blocks that contain every span whole. Only a span that is itself too large exceeds a limit."""
    ordered = sorted(spans, key=lambda span: (span.table, span.offset, span.count))
    return [
        block for table, group in groupby(ordered, key=lambda s: s.table) for block in _cheapest(list(group), limits)
    ]


def cost_s(blocks: Iterable[Block], limits: Limits) -> float:
    """Return what reading ``blocks`` once costs."""
    return sum(limits.request_s + block.count * limits.item_s(block.table) for block in blocks)


def split(block: Block, limits: Limits) -> list[Block]:
    """Return two halves of a block that was refused, so that a single bad address can be found."""
    middle = len(block.spans) // 2
    halves = (block.spans[:middle], block.spans[middle:])
    return [half for spans in halves for half in plan(spans, limits)]


def joined(blocks: Iterable[Block], limits: Limits, torn: Collection[Block] = ()) -> list[Block]:
    """Join blocks that touch: what can be read apart can be read together, as far as one request reaches.

    No block comes out that holds the whole of one that is ``torn``.
    """
    found: list[Block] = []
    for block in sorted(blocks, key=lambda each: (each.table, each.offset)):
        both = _together(found[-1], block) if found else None
        if both is None or both.count > limits.most(both.table) or any(map(both.holds, torn)):
            found.append(block)
        else:
            found[-1] = both
    return found


def _together(last: Block, block: Block) -> Block | None:
    """Return two blocks as one, None if they do not touch."""
    if last.table is not block.table or block.offset > last.end:
        return None
    count = max(last.end, block.end) - last.offset
    return Block(last.table, last.offset, count, last.spans + block.spans)


def _cheapest(spans: list[Span], limits: Limits) -> list[Block]:
    """Cut the pieces of one table where the sum of the costs is least (dynamic programming, linear in pieces).

    ``least[i]`` is the cost of all before piece i. A block from piece i to piece j costs request +
    (end of j - start of i), so the best i for each j has the least ``least[i] - start of i`` within reach.
    """
    pieces = list(_pieces(spans, limits))
    table, request = pieces[0].table, limits.request_s / max(limits.item_s(pieces[0].table), 1e-12)
    least, first = [0.0], list[int]()
    window: deque[tuple[float, int]] = deque()
    for index, piece in enumerate(pieces):
        if index and piece.offset - pieces[index - 1].end > limits.hole(table):
            window.clear()
        score = least[index] - piece.offset
        while window and window[-1][0] > score:
            window.pop()
        window.append((score, index))
        while len(window) > 1 and piece.end - pieces[window[0][1]].offset > limits.most(table):
            window.popleft()
        best, start = window[0]
        least.append(best + request + piece.end)
        first.append(start)
    return list(reversed(list(_blocks(pieces, first))))


def _blocks(pieces: list[Block], first: list[int]) -> Iterator[Block]:
    """Yield the blocks, the last one first: the one that ends with piece ``end`` begins with ``first[end]``."""
    end = len(pieces) - 1
    while end >= 0:
        held = pieces[first[end] : end + 1]
        spans = tuple(span for piece in held for span in piece.spans)
        yield Block(held[0].table, held[0].offset, held[-1].end - held[0].offset, spans)
        end = first[end] - 1


def _pieces(spans: list[Span], limits: Limits) -> Iterator[Block]:
    """Yield runs of spans that overlap, as far as one request reaches."""
    most = limits.most(spans[0].table)
    held: list[Span] = []
    end = 0
    for span in spans:
        if held and (span.offset >= end or max(end, span.end) - held[0].offset > most):
            yield _piece(held, end)
            held = []
        end = max(end, span.end) if held else span.end
        held.append(span)
    yield _piece(held, end)


def _piece(spans: list[Span], end: int) -> Block:
    return Block(spans[0].table, spans[0].offset, end - spans[0].offset, tuple(spans))
