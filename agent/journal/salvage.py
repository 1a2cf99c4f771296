"""Reads what can still be read of a damaged journal: alarms at once, events bit by bit."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.core.model import Lane
from agent.journal.envelope import checksum

_AT_ONCE = 200


@dataclass(frozen=True, slots=True)
class Salvaged:
    """An event whose bytes are sound. ``columns`` are lane, number in it, id, kind, wall clock in ns."""

    columns: tuple[str, int, str, str, int]
    body: bytes

    @property
    def lane(self) -> str:
        """Its lane."""
        return self.columns[0]


class Salvage:
    """A damaged file, set aside. Nothing here raises: what cannot be read is missing from the answers."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=1.0)
        self.alarms: list[tuple[str, str, str]] = self._rows("SELECT id, body, boot_id FROM alarm")
        marks = self._rows("SELECT name, last, done FROM lane")
        known = {str(lane) for lane in Lane}
        self.lanes: dict[str, tuple[int, int]] = {name: (last, done) for name, last, done in marks if name in known}
        self.found: dict[str, set[int]] = {lane: set() for lane in self.lanes}
        sequence = self._rows("SELECT seq FROM sqlite_sequence WHERE name = 'event'")
        self._last = int(sequence[0][0]) if sequence else 0
        self._at = 0

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()

    @property
    def done(self) -> bool:
        """Tell whether everything was looked at."""
        return bool(self._at >= self._last)

    def some(self) -> list[Salvaged]:
        """Return the sound events among the next few; call it until ``done``."""
        first, self._at = self._at + 1, min(self._at + _AT_ONCE, self._last)
        events = [event for row in self._between(first, self._at) for event in _sound(row)]
        return [event for event in events if self._is_new(event)]

    def missing(self) -> Iterator[tuple[str, list[int]]]:
        """Yield of each lane the numbers that were still to be sent and could not be read."""
        for lane, (last, done) in self.lanes.items():
            lost = [number for number in range(done + 1, last + 1) if number not in self.found[lane]]
            if lost:
                yield lane, lost

    def _is_new(self, event: Salvaged) -> bool:
        """Tell whether it belongs to a lane whose numbers are known, and count it as found."""
        lane, number = event.columns[:2]
        if lane not in self.lanes or number > self.lanes[lane][0] or number in self.found[lane]:
            return False
        self.found[lane].add(number)
        return True

    def _between(self, first: int, last: int) -> list[Any]:
        """Read rows; where a page is broken, halve, so that its neighbours are not lost with it."""
        query = (
            "SELECT lane, lane_seq, id, kind, wall_ns, body, crc FROM event"
            f" WHERE seq BETWEEN {int(first)} AND {int(last)} ORDER BY seq"
        )
        try:
            return self._db.execute(query).fetchall()
        except sqlite3.Error:
            if first >= last:
                return []
        middle = (first + last) // 2
        return [*self._between(first, middle), *self._between(middle + 1, last)]

    def _rows(self, query: str) -> list[Any]:
        try:
            return self._db.execute(query).fetchall()
        except sqlite3.Error:
            return []


def _sound(row: Any) -> list[Salvaged]:
    *columns, body, crc = row
    sound = isinstance(body, bytes) and checksum(body) == crc
    return [Salvaged(tuple(columns), body)] if sound else []
