"""Moves what was committed from the log into the file, in a thread of its own: a commit waits for one flush only."""

from __future__ import annotations

import sqlite3
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

from agent.journal.checking import Check

EVERY_BYTES = 4 << 20
LARGEST_LOG_BYTES = 8 << 20
"""From here on the writer waits until the log is empty. The ballast is larger: on a full disk it takes the log."""

_LEAST_BYTES = 16 << 10


class Checkpoints:
    """Belongs to one connection. ``tight``: the disk is nearly full, so the log is emptied before each transaction.

    While a ``check`` reads the file no log can be emptied, and nobody waits for that: it grows for so long.
    """

    def __init__(self, path: Path, db: sqlite3.Connection, check: Check) -> None:
        self._path, self._db, self._check = path, db, check
        self._log = path.with_name(path.name + "-wal")
        self._since = self._log.stat().st_size if self._log.exists() else 0  # left by who was killed
        self._thread = ThreadPoolExecutor(1, "journal checkpoint")
        self._running: Future[None] | None = None
        self.tight = False
        db.execute("PRAGMA wal_autocheckpoint = 0")

    def prepare(self) -> None:
        """Be called before a transaction, so that nothing that was committed is taken for failed.

        Raises sqlite3.Error: of a checkpoint that failed since, or because the log is too large and cannot be emptied.
        """
        if self._running is not None and self._running.done():
            done, self._running = self._running, None
            done.result()
            self._catch_up()
        if self._since and (self.tight or (self._since >= EVERY_BYTES and self._is_too_large())):
            self.empty()

    def wrote(self, size: int) -> None:
        """Count about ``size`` bytes as committed; any transaction writes some pages of its own. Never raises."""
        self._since += max(size, _LEAST_BYTES)
        if self._since >= EVERY_BYTES and self._running is None:
            self._since = 0
            self._running = self._thread.submit(self._checkpoint)

    def _is_too_large(self) -> bool:
        is_busy = self._running is not None and not self._check.runs
        return is_busy and self._log.stat().st_size > LARGEST_LOG_BYTES

    def _catch_up(self) -> None:
        """Move over what was committed meanwhile, so that the log begins anew: to write over it costs half a flush."""
        self._db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()

    def empty(self) -> None:
        """Move everything into the file and cut the log off. Raises sqlite3.Error."""
        if self._running is not None:
            done, self._running = self._running, None
            done.result()
        self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        self._since = 0

    def close(self) -> None:
        """Wait for a checkpoint that runs."""
        self._thread.shutdown()

    def _checkpoint(self) -> None:
        with closing(sqlite3.connect(self._path, timeout=5.0)) as db:
            db.execute("PRAGMA synchronous = FULL")
            db.execute("PRAGMA wal_checkpoint(PASSIVE)")
