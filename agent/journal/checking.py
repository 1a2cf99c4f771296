"""Looks for damage in a file that is in use: all of a large one is not read in a moment, and alarms do not wait."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

import structlog

log = structlog.get_logger(__name__)

AT_ONCE_BYTES = 32 << 20
"""A larger file is checked while it is in use: after a cold start 1.3 GB took 24 s, with the saved alarms behind it."""


def is_large(path: Path) -> bool:
    """Tell whether to check the whole file takes too long to wait for."""
    return path.exists() and path.stat().st_size > AT_ONCE_BYTES


def fault_of(db: sqlite3.Connection, whole: bool) -> str:
    """Return what is wrong with a file, or nothing; unless ``whole`` only of the tables that a start reads.

    Raises sqlite3.DatabaseError for what SQLite cannot even read.
    """
    if whole:
        return _said(db, "1")
    tables = db.execute("SELECT name FROM sqlite_schema WHERE type = 'table' AND name != 'event'").fetchall()
    return next((fault for (table,) in tables if (fault := _said(db, table))), "")


class Check:
    """Reads a whole file, once started, in a thread and over a connection of its own. It holds up no writer."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._db: sqlite3.Connection | None = None
        self._fault = ""

    def start(self) -> None:
        """Begin. Raises sqlite3.Error."""
        self._db = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False, timeout=5.0)
        self._thread = threading.Thread(target=self._run, args=(self._db,), name="journal check", daemon=True)
        self._thread.start()

    @property
    def runs(self) -> bool:
        """Tell whether it reads the file now."""
        return self._db is not None and self._thread.is_alive()

    def told(self) -> None:
        """Raise sqlite3.DatabaseError if damage was found so far."""
        if self._fault:
            raise sqlite3.DatabaseError(self._fault)

    def stop(self) -> None:
        """End it, done or not; the next start checks anew."""
        if self._db is None:
            return
        while self._thread.is_alive():
            self._db.interrupt()  # it ends what runs now only, and the thread may be about to begin
            self._thread.join(0.05)
        self._db.close()
        self._db = None

    def _run(self, db: sqlite3.Connection) -> None:
        try:
            self._fault = fault_of(db, whole=True)
        except sqlite3.OperationalError as error:  # stopped, or the disk fails: the journal itself tells of that
            log.warning("journal not checked for damage", file=self._path.name, reason=str(error))
        except sqlite3.DatabaseError as error:
            self._fault = str(error)


def _said(db: sqlite3.Connection, what: str) -> str:
    (said,) = db.execute(f"PRAGMA quick_check({what})").fetchone()
    return "" if said == "ok" else str(said)
