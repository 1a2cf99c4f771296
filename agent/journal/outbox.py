"""What still has to be sent: in each lane everything behind a mark, but for what was done out of order."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from agent.core.model import Lane


@dataclass(frozen=True, slots=True)
class Row:
    """An event that waits to be sent. ``wall_ns`` tells its age."""

    seq: int
    lane: str
    lane_seq: int
    id: str
    wall_ns: int
    body: bytes
    attempts: int
    again: bool = False
    """It was sent before, and the centre asked for it once more."""


@dataclass
class LaneMark:
    """One lane: ``last`` number given, everything up to ``done`` is done, ``ahead`` is done too; ``bytes`` kept.

    The centre says that it has ``stored`` everything up to there; 0 while it says nothing.
    """

    last: int = 0
    done: int = 0
    bytes: int = 0
    ahead: set[int] = field(default_factory=set)
    stored: int = 0

    @property
    def waiting(self) -> int:
        """How many events still have to be sent."""
        return self.last - self.done - len(self.ahead)

    def waits(self, number: int) -> bool:
        """Tell whether this event still has to be sent."""
        return number > self.done and number not in self.ahead

    def finish(self, lane_seqs: Iterable[int]) -> None:
        """Take events as done; the mark moves on over all that follow without a gap."""
        self.ahead.update(number for number in lane_seqs if number > self.done)
        self._move_on()

    def skip(self, number: int) -> None:
        """Take everything up to ``number`` as done."""
        self.done = max(self.done, number)
        self.ahead = {each for each in self.ahead if each > self.done}
        self._move_on()

    def _move_on(self) -> None:
        while self.done + 1 in self.ahead:
            self.done += 1
            self.ahead.remove(self.done)


class Marks:
    """The marks of all lanes, in memory and on disk. ``save`` belongs into a transaction of the caller's."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self.of: dict[str, LaneMark] = {str(lane): LaneMark() for lane in Lane}
        for name, last, done, size, stored in db.execute("SELECT name, last, done, bytes, stored FROM lane"):
            self.of[name] = LaneMark(last, done, size, stored=stored)
        for name, number in db.execute("SELECT lane, lane_seq FROM ahead"):
            self.of[name].ahead.add(number)

    def save(self) -> None:
        """Write the marks."""
        rows = [(name, mark.last, mark.done, mark.bytes, mark.stored) for name, mark in self.of.items()]
        self._db.executemany("INSERT OR REPLACE INTO lane VALUES (?, ?, ?, ?, ?)", rows)

    def waiting_among(self, named: Iterable[tuple[int, str]]) -> list[tuple[str, int]]:
        """Return lane and number of the events, named by ``seq`` and id, that are here and still have to be sent."""
        query = "SELECT lane, lane_seq FROM event WHERE seq = ? AND id = ?"
        rows = [row for name in named for row in self._db.execute(query, name)]
        return [(lane, number) for lane, number in rows if self.of[lane].waits(number)]

    def finish(self, done: Sequence[tuple[str, int]]) -> None:
        """Take events (lane and number in it) as done, and write that."""
        for name in {lane for lane, _ in done}:
            self.of[name].finish(number for lane, number in done if lane == name)
            mark = self.of[name]
            self._db.execute("DELETE FROM ahead WHERE lane = ? AND lane_seq <= ?", (name, mark.done))
            rows = [(name, number) for number in mark.ahead]
            self._db.executemany("INSERT OR IGNORE INTO ahead VALUES (?, ?)", rows)
        self.save()
