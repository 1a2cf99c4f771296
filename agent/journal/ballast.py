"""A file that only takes up room: given back on a full disk, so that the journal can delete and go on.

A full file system blocks DELETE and the checkpoint too: both write before they free anything.
"""

from __future__ import annotations

import errno
import os
import sqlite3
from pathlib import Path

_ROOM = 4
"""It is laid anew once so many times its size is free: not a moment before, or the two would fight."""


class Ballast:
    """Never raises: without ballast the journal works too, until the disk is full."""

    def __init__(self, path: Path, size: int) -> None:
        self._path, self._size = path, size

    @property
    def free_bytes(self) -> int:
        """How much the disk has left, or 0 if it does not say."""
        try:
            system = os.statvfs(self._path.parent)
        except OSError:
            return 0
        return system.f_bavail * system.f_frsize

    @property
    def is_missing(self) -> bool:
        """Tell whether nothing can be given back, for want of room."""
        return self.free_bytes < _ROOM * self._size and not self._is_laid()

    def release(self) -> None:
        """Give the room back."""
        try:
            self._path.unlink(missing_ok=True)
        except OSError:
            return

    def lay(self) -> None:
        """Take up the room if there is plenty, unless that is done already."""
        try:
            if not self._is_laid() and self.free_bytes >= _ROOM * self._size:
                self._write()
        except OSError:
            self.release()

    def _is_laid(self) -> bool:
        try:
            return self._path.stat().st_size == self._size
        except OSError:
            return False

    def _write(self) -> None:
        with self._path.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, self._size)


def is_full(error: BaseException) -> bool:
    """Tell whether it was for want of room on the disk."""
    if isinstance(error, sqlite3.Error):
        return getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_FULL
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
