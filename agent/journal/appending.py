"""Events as rows of the journal: each behind the one before it in its lane, and in the chain."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain as chained
from typing import Any, NamedTuple

from agent.core.model import EventDraft
from agent.journal.composing import Composer
from agent.journal.envelope import chain, checksum

_PLACES = "(?, ?, ?, ?, ?, ?, ?, ?, ?)"
_AT_ONCE = 100
_ONE = f"INSERT INTO event VALUES {_PLACES}"
_MANY = f"INSERT INTO event VALUES {', '.join([_PLACES] * _AT_ONCE)}"
"""One statement for so many rows costs half of what as many statements do."""
_MOST_BYTES = 1 << 20

Columns = tuple[int, str, int, str, str, int, bytes, int, str]
"""A row of the table: seq, lane, lane_seq, id, kind, wall_ns, body, crc, hash."""


class Entry(NamedTuple):
    """An event as it was committed: its number in the journal, its place in the chain, and its bytes."""

    seq: int
    hash: str
    body: bytes

    def envelope(self) -> dict[str, Any]:
        """Return the envelope, with ``journalseq`` and ``hash``."""
        return {"data": {}, **json.loads(self.body), "journalseq": self.seq, "hash": self.hash}


@dataclass
class Composed:
    """Events that are ready to be written. ``seq``, ``hash`` and ``last`` (by lane) are those of the last one."""

    seq: int
    hash: str
    last: dict[str, int]
    rows: list[Columns] = field(default_factory=list)
    size: int = 0
    """In bytes."""

    @property
    def entries(self) -> list[Entry]:
        """The events, as who listens wants them."""
        return [Entry(row[0], row[8], row[6]) for row in self.rows]

    def after(self) -> Composed:
        """Return the place behind these, with nothing in it."""
        return Composed(self.seq, self.hash, dict(self.last))

    def add(self, events: Sequence[EventDraft], compose: Composer) -> None:
        """Take events in; of many or large ones the first 1 MB only: a full disk has no room for more at once.

        Raises TypeError, ValueError, RecursionError for an event that is no JSON.
        """
        compose.begin()
        for draft in events:
            lane = draft.lane.value
            number = self.last[lane] + 1
            id_, wall_ns, body = compose(draft, number, self.hash)
            self.last[lane] = number
            self.take((lane, number, id_, draft.kind, wall_ns), body)
            if self.size >= _MOST_BYTES:
                break

    def take(self, columns: tuple[str, int, str, str, int], body: bytes) -> None:
        """Take one event in as it is: its lane, number in it, id, kind, wall clock in ns, and its bytes."""
        self.seq, self.hash = self.seq + 1, chain(self.hash, body)
        self.rows.append((self.seq, *columns, body, checksum(body), self.hash))
        self.size += len(body)

    def sizes(self) -> Mapping[str, int]:
        """Return how many bytes each lane grows by."""
        found = dict.fromkeys(self.last, 0)
        for row in self.rows:
            found[row[1]] += len(row[6])
        return found


def insert(db: sqlite3.Connection, rows: Sequence[Columns]) -> None:
    """Write rows; belongs into a transaction. Raises sqlite3.Error."""
    whole = len(rows) - len(rows) % _AT_ONCE
    for first in range(0, whole, _AT_ONCE):
        db.execute(_MANY, list(chained.from_iterable(rows[first : first + _AT_ONCE])))
    db.executemany(_ONE, rows[whole:])
