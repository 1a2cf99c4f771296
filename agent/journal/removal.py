"""Deletes events so that the chain of those that stay can still be verified."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

Removable = tuple[int, int, int, str]
"""Number in the journal, number in the lane, bytes, hash."""


@dataclass(frozen=True, slots=True)
class Removed:
    """What was deleted of one lane: ``first`` and ``last`` are numbers in the lane."""

    first: int = 0
    last: int = 0
    count: int = 0
    bytes: int = 0


def remove(db: sqlite3.Connection, rows: Sequence[Removable]) -> Removed:
    """Delete ``rows`` (of one lane, in order) in the caller's transaction; note each run of neighbours as a gap."""
    for first, last, hash_ in _runs(rows):
        _note(db, first, last, hash_)
    db.executemany("DELETE FROM event WHERE seq = ?", [(seq,) for seq, *_ in rows])
    return Removed(rows[0][1], rows[-1][1], len(rows), sum(size for _, _, size, _ in rows))


def _runs(rows: Sequence[Removable]) -> Iterator[tuple[int, int, str]]:
    """Yield first, last and last hash of each run of consecutive numbers."""
    first = last = rows[0][0]
    hash_ = rows[0][3]
    for seq, _, _, digest in rows[1:]:
        if seq != last + 1:
            yield first, last, hash_
            first = seq
        last, hash_ = seq, digest
    yield first, last, hash_


def _note(db: sqlite3.Connection, first: int, last: int, hash_: str) -> None:
    """Write a gap; grown together with its neighbours, so that gaps stay few."""
    after = db.execute("SELECT last, hash FROM gap WHERE first = ?", (last + 1,)).fetchone()
    if after:
        db.execute("DELETE FROM gap WHERE first = ?", (last + 1,))
        last, hash_ = after
    before = db.execute("SELECT first FROM gap WHERE last = ? AND first < ?", (first - 1, first)).fetchone()
    db.execute("INSERT OR REPLACE INTO gap VALUES (?, ?, ?)", (before[0] if before else first, last, hash_))
