"""Opens the journal's file: pragmas that were really taken, migrations, a quick check."""

from __future__ import annotations

import re
import sqlite3
from importlib import resources
from pathlib import Path

from agent.journal.checking import fault_of

PAGE = 4096


class Damaged(Exception):  # noqa: N818 - a state of the file; the journal then starts a new one
    """The file is no usable journal."""


def connect(path: Path, whole: bool = True) -> sqlite3.Connection:
    """Open or make the file, and look for damage: in the ``whole`` of it, or in what a start reads.

    Raises Damaged, or sqlite3.OperationalError while the disk is to blame.
    """
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=5.0)
    try:
        _prepare(db, whole)
    except BaseException:
        db.close()
        raise
    return db


def _prepare(db: sqlite3.Connection, whole: bool) -> None:
    """Set it up. Without secure_delete: it writes as much as is deleted, and a full disk has no room for that."""
    try:
        (mode,) = db.execute("PRAGMA journal_mode = WAL").fetchone()
        for pragma in (
            "synchronous = FULL",
            "foreign_keys = ON",
            "journal_size_limit = 67108864",
            "secure_delete = OFF",
        ):
            db.execute(f"PRAGMA {pragma}")
        fault = fault_of(db, whole)
        (full,) = db.execute("PRAGMA synchronous").fetchone()
        _migrate(db)
    except sqlite3.DatabaseError as error:
        if isinstance(error, sqlite3.OperationalError):
            raise
        raise Damaged(str(error)) from error
    if fault:
        raise Damaged(fault)
    if mode != "wal" or full != 2:
        raise sqlite3.OperationalError(f"the file system does not keep a WAL (journal_mode {mode}, synchronous {full})")


def _migrate(db: sqlite3.Connection) -> None:
    (done,) = db.execute("PRAGMA user_version").fetchone()
    text = resources.files("agent.journal").joinpath("schema.sql").read_text(encoding="utf-8")
    steps = re.split(r"^-- migration (\d+)$", text, flags=re.MULTILINE)[1:]
    for number, sql in zip(map(int, steps[::2]), steps[1::2], strict=True):
        if number > done:
            db.executescript(f"BEGIN; {sql} PRAGMA user_version = {number}; COMMIT;")
