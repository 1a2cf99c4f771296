"""Events that are sent once more because the centre asked for them: beside what waits, and behind it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from agent.journal.outbox import LaneMark


@dataclass(frozen=True, slots=True)
class Replay:
    """What is sent again of a lane: ``count`` events from ``first`` to ``last``; ``missing`` are not kept any more."""

    lane: str
    first: int
    last: int
    count: int
    missing: int


class Replays:
    """By lane, a mark that goes from the first to the ``last`` event to be sent again.

    In memory and on disk; what writes belongs into a transaction of the caller's.
    """

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        rows = db.execute("SELECT lane, done, until FROM replay")
        self.of: dict[str, LaneMark] = {lane: LaneMark(until, done) for lane, done, until in rows}

    def begin(self, lane: str, first: int, until: int) -> Replay:
        """Send a lane's events again, from ``first`` to ``until``; one that is under way is widened."""
        before = self.of.get(lane, LaneMark(until, until))
        after, until = min(before.done, first - 1), max(before.last, until)
        query = "SELECT count(*), coalesce(min(lane_seq), 0) FROM event WHERE lane = ? AND lane_seq BETWEEN ? AND ?"
        count, oldest = self._db.execute(query, (lane, first, until)).fetchone()
        if count:
            self.of[lane] = LaneMark(until, after)
            self._db.execute("INSERT OR REPLACE INTO replay VALUES (?, ?, ?)", (lane, after, until))
        return Replay(lane, oldest, until, count, max(0, until - first + 1 - count))

    def finish(self, sent: Iterable[tuple[str, int]]) -> None:
        """Take events (lane and number in it) as sent again."""
        done = list(sent)
        for lane in {lane for lane, _ in done} & set(self.of):
            mark = self.of[lane]
            mark.finish(number for name, number in done if name == lane)
            self._db.execute("UPDATE replay SET done = ? WHERE lane = ?", (mark.done, lane))
            if mark.done >= mark.last:
                self.end(lane)

    def skip(self, lane: str, there: Sequence[int]) -> None:
        """Do not wait for what is not there any more; ``there`` are the next numbers that are, in order."""
        mark = self.of[lane]
        mark.skip(there[0] - 1)
        known = {*there, *mark.ahead}
        mark.finish(number for number in range(mark.done + 1, there[-1]) if number not in known)

    def end(self, lane: str) -> None:
        """There is nothing more to send again."""
        del self.of[lane]
        self._db.execute("DELETE FROM replay WHERE lane = ?", (lane,))
