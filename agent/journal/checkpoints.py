"""Moves what was committed from the log into the file, in a thread of its own: a commit waits for one flush only."""

from __future__ import annotations

import sqlite3
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

EVERY_BYTES = 4 << 20
LARGEST_LOG_BYTES = 8 << 20
"""From here on the writer waits until the log is empty. The ballast is larger: on a full disk it takes the log."""


class Checkpoints:
    """Belongs to one connection. A checkpoint that failed is raised from the next ``wrote``, as sqlite3.Error."""

    def __init__(self, path: Path, db: sqlite3.Connection) -> None:
        self._path, self._db = path, db
        self._log = path.with_name(path.name + "-wal")
        self._since = 0
        self._thread = ThreadPoolExecutor(1, "journal checkpoint")
        self._running: Future[None] | None = None
        db.execute("PRAGMA wal_autocheckpoint = 0")

    def wrote(self, size: int) -> None:
        """Count ``size`` bytes as committed. Raises sqlite3.Error."""
        self._since += size
        if self._running is not None and self._running.done():
            done, self._running = self._running, None
            done.result()
        if self._since < EVERY_BYTES:
            return
        if self._running is None:
            self._since = 0
            self._running = self._thread.submit(self._checkpoint)
        elif self._log.stat().st_size > LARGEST_LOG_BYTES:
            self.empty()

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
