"""Which rows were acknowledged lately, in a file of a few kilobytes: to mark each in the journal would hold up a drain.

A note is written before the row's place in the window is free, and not flushed: a process that is killed leaves it, a
power cut may take it back, and the row is sent twice. It counts only for the very row that it names.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable
from pathlib import Path

import structlog

from agent.journal.outbox import Row

log = structlog.get_logger(__name__)

_NOTE = struct.Struct("<q36s")
"""Number in the journal, and id."""
NOTES = 128
"""The oldest gives way. More than ever wait to be marked."""


class Notes:
    """Written by the thread that sends. A disk that fails costs the notes, and nothing else."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: int | None = None
        self._next = 0

    def read(self) -> list[tuple[int, str]]:
        """Return what was noted, each with number and id, in no order; damaged ones name no row that there is."""
        try:
            octets = self._path.read_bytes()
        except OSError:
            return []
        whole = octets[: len(octets) - len(octets) % _NOTE.size]
        return [(seq, id_.decode("ascii", "replace")) for seq, id_ in _NOTE.iter_unpack(whole)]

    def add(self, rows: Iterable[Row]) -> None:
        """Note rows as acknowledged."""
        try:
            if self._file is None:
                self._file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o640)
            for row in rows:
                os.pwrite(self._file, _NOTE.pack(row.seq, row.id.encode()), self._next * _NOTE.size)
                self._next = (self._next + 1) % NOTES
        except OSError as error:
            log.warning("what was sent cannot be noted; a kill may send it twice", reason=error.strerror)

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            os.close(self._file)
            self._file = None
