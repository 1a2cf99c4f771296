"""The number of the last connection, over restarts: a death that comes late must not be taken for that of today."""

from __future__ import annotations

from pathlib import Path

import structlog

from agent.core.files import replace_durably
from agent.sparkplug.session import following

log = structlog.get_logger(__name__)


class Connections:
    """Counts connections in a small file. A disk that fails costs no more than the count over a restart."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._last: int | None = None
        self._read = False
        self._written: int | None = None

    def next(self) -> int:
        """Return the bdSeq of the connection that is tried now, and write it down. May wait for a disk."""
        if not self._read:
            self._last, self._read = self._load(), True
        number = 0 if self._last is None else following(self._last)
        if number == self._written:
            return number
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            replace_durably(self._path, f"{number}\n".encode(), self._path.with_suffix(".new"))
            self._written = number
        except OSError as error:
            log.warning("bdSeq not saved", reason=str(error))
        return number

    def used(self, number: int) -> None:
        """Take note that a CONNECT with this number may have been sent."""
        self._last = number

    def _load(self) -> int | None:
        try:
            number = int(self._path.read_text(encoding="ascii"))
        except (OSError, ValueError):
            return None
        return number if 0 <= number < 256 else None
