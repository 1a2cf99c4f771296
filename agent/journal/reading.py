"""Reads a journal file without changing it, also while the agent writes to it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from agent.journal.appending import Entry
from agent.journal.verifying import verify


@contextmanager
def reader(path: Path) -> Iterator[Reader]:
    """Open a file to read. Raises sqlite3.Error when it is no journal or is not there."""
    with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=5.0)) as db:
        yield Reader(db)


class Reader:
    """One file. Every method may raise sqlite3.Error."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def verify(self) -> Iterator[str]:
        """Yield what is wrong with it; the file is read in one piece, as it is now."""
        self._db.execute("BEGIN")
        yield from verify(self._db)
        for seq, reason in self._db.execute("SELECT seq, reason FROM quarantine ORDER BY seq"):
            yield f"event {seq}: in quarantine: {reason}"

    def count(self) -> tuple[int, int]:
        """Return how many events there are, and how many were deleted on purpose."""
        (there,) = self._db.execute("SELECT count(*) FROM event").fetchone()
        (gone,) = self._db.execute("SELECT coalesce(sum(last - first + 1), 0) FROM gap").fetchone()
        return int(there), int(gone)

    def events(self, first: int = 1, last: int | None = None, lane: str | None = None) -> Iterator[dict[str, Any]]:
        """Yield envelopes with ``journalseq`` and ``hash``, oldest first. A damaged one is told in its place."""
        query = "SELECT seq, hash, body FROM event WHERE seq BETWEEN ? AND ? AND (? IS NULL OR lane = ?) ORDER BY seq"
        for seq, hash_, body in self._db.execute(query, (first, last or (1 << 62), lane, lane)):
            try:
                yield Entry(seq, hash_, body).envelope()
            except ValueError:
                yield {"journalseq": seq, "hash": hash_, "damaged": bytes(body).decode(errors="replace")}
