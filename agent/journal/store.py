"""The journal's SQLite file. Synchronous, and used by one thread only."""

from __future__ import annotations

import threading
import time
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from itertools import accumulate
from pathlib import Path
from typing import Any

from agent.core.model import Alarm, EventDraft
from agent.core.remembered import Remembered
from agent.journal.appending import Composed, Entry, insert
from agent.journal.checking import Check, is_large
from agent.journal.checkpoints import Checkpoints
from agent.journal.composing import Composer
from agent.journal.envelope import Identity, alarm_from_json, alarm_to_json, boot_id, checksum
from agent.journal.opening import PAGE, connect
from agent.journal.outbox import LaneMark, Marks, Row
from agent.journal.removal import Removed, remove
from agent.journal.replays import Replay, Replays
from agent.journal.salvage import Salvaged
from agent.journal.verifying import verify

KEEP_MEMORY_S = 30 * 86400.0
"""What a rule had learnt that is gone for so long is forgotten."""
_AT_ONCE = 500
_ROWS = "SELECT seq, lane, lane_seq, id, wall_ns, body, crc FROM event WHERE lane = ?"
_MOST_UNFLUSHED = 50
"""So many marks of sent rows a power cut may take back, and these are sent twice; a kill takes back none."""
_MOST_REMOVED = 4 << 20
"""At once: who must lose something loses little more than is needed."""


class Store:
    """One open file. Every method may raise sqlite3.Error; the connection is then not to be used again."""

    def __init__(
        self, path: Path, who: Identity, sends: bool = True, confirms: bool = False, suspect: bool = False
    ) -> None:
        """Open or make the file; without ``sends`` there is no uplink, and nothing waits for one.

        With ``confirms`` the centre says what it has stored, and what it has not is kept. A large file is checked for
        damage while it is in use, one that is ``suspect`` before.
        """
        self.path = path
        self.confirms = confirms
        self._compose = Composer(who)
        self._sends = sends
        self._unflushed = 0
        in_use = not suspect and is_large(path)
        self._db = connect(path, whole=not in_use)
        self.check = Check(path)
        self._checkpoints = Checkpoints(path, self._db, self.check)
        self._flusher = ThreadPoolExecutor(1, "journal flush")
        self._hash = dict(self._db.execute("SELECT key, value FROM meta")).get("hash", "")
        self._marks = Marks(self._db)
        self._replays = Replays(self._db)
        self._attempts = dict(self._db.execute("SELECT seq, attempts FROM attempt"))
        row = self._db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'event'").fetchone()
        self.last_seq = int(row[0]) if row else 0
        if in_use:
            self.check.start()

    def close(self) -> None:
        """Close the file."""
        self.check.stop()
        self._checkpoints.close()
        self._flusher.shutdown()
        self._db.close()

    @property
    def lanes(self) -> dict[str, LaneMark]:
        """How far each lane is. Read only."""
        return self._marks.of

    def compose(self, events: Sequence[EventDraft], behind: Composed | None = None) -> Composed:
        """Return events as they are written behind the last ones, or ``behind`` others that are not written yet.

        Raises TypeError, ValueError, RecursionError for an event that is no JSON.
        """
        last = {lane: mark.last for lane, mark in self._marks.of.items()}
        composed = behind.after() if behind is not None else Composed(self.last_seq, self._hash, last)
        composed.add(events, self._compose)
        return composed

    def append(self, composed: Composed, alarms: Sequence[Alarm], meanwhile: Callable[[], None] | None = None) -> None:
        """Write events and alarm states in one durable transaction; do something ``meanwhile`` the disk flushes."""
        with self._transaction(composed.size, meanwhile):
            self._save_alarms(alarms)
            for lane, mark in self._marks.of.items():
                mark.last = composed.last[lane]
                mark.done = mark.done if self._sends else mark.last
            self._insert(composed)
        self.last_seq, self._hash = composed.seq, composed.hash

    def holds(self, entry: Entry) -> bool:
        """Tell whether this very entry was written."""
        row = self._db.execute("SELECT hash FROM event WHERE seq = ?", (entry.seq,)).fetchone()
        return row is not None and row[0] == entry.hash

    def adopt(self, found: Sequence[Salvaged]) -> None:
        """Write events that were saved from a damaged file: their bytes and lane numbers stay, the chain is ours."""
        composed = self.compose([])
        for event in found:
            composed.take(event.columns, event.body)
        with self._transaction(composed.size):
            self._insert(composed)
        self.last_seq, self._hash = composed.seq, composed.hash

    def _insert(self, composed: Composed) -> None:
        """Write events, how much their lanes keep, and the end of the chain; belongs into a transaction."""
        insert(self._db, composed.rows)
        for lane, size in composed.sizes().items():
            self._marks.of[lane].bytes += size
        self._marks.save()
        self._db.execute("INSERT OR REPLACE INTO meta VALUES ('hash', ?)", (composed.hash,))

    def resume(self, lanes: Mapping[str, tuple[int, int]], alarms: Sequence[tuple[str, str, str]]) -> None:
        """Go on where a damaged file was: each lane's last number and done mark; and the saved alarms."""
        with self._transaction():
            for lane, (last, done) in lanes.items():
                self._marks.of[lane] = LaneMark(last, done)
            self._marks.save()
            self._db.executemany("INSERT OR REPLACE INTO alarm VALUES (?, ?, ?)", alarms)

    def empty_log(self) -> None:
        """Give back the room that the log takes."""
        self._checkpoints.empty()

    def keep_log_empty(self, tight: bool) -> None:
        """While room is ``tight``, have no log that would need room to be emptied."""
        self._checkpoints.tight = tight
        if tight:
            self.check.stop()  # who reads keeps the log from being emptied

    def spare_bytes(self) -> int:
        """Return how much can be written without the file growing."""
        (pages,) = self._db.execute("PRAGMA freelist_count").fetchone()
        return int(pages) * PAGE

    def give_up(self, lane: str, lane_seqs: Sequence[int]) -> None:
        """Take events that could not be saved as done: nothing waits for them any more."""
        with self._transaction():
            self._marks.finish([(lane, number) for number in lane_seqs])

    def alarms(self) -> list[tuple[Alarm, bool]]:
        """Return every saved alarm, and whether it was saved on this boot; unreadable ones are left out."""
        rows = self._db.execute("SELECT body, boot_id FROM alarm")
        return [(alarm, boot == boot_id()) for body, boot in rows for alarm in _readable(body)]

    def remember(self, rows: Sequence[Remembered]) -> None:
        """Save what conditions keep of the past; forget what nobody has saved for long."""
        now_ns, boot = time.time_ns(), boot_id()
        values = [(row.rule, row.fingerprint, row.body, boot, now_ns) for row in rows]
        with self._transaction():
            self._db.executemany("INSERT OR REPLACE INTO memory VALUES (?, ?, ?, ?, ?)", values)
            self._db.execute("DELETE FROM memory WHERE saved_ns < ?", (now_ns - int(KEEP_MEMORY_S * 1e9),))

    def memories(self) -> list[tuple[Remembered, bool]]:
        """Return what conditions kept of the past, and whether it was saved on this boot."""
        rows = self._db.execute("SELECT rule, fingerprint, body, boot_id FROM memory")
        return [(Remembered(*values), boot == boot_id()) for *values, boot in rows]

    def pending(self, limit: int) -> list[Row]:
        """Return the rows to send next: the first lane first, in order within each lane.

        A row whose bytes do not match its checksum goes to quarantine here, so that it blocks no other.
        """
        rows: list[Row] = []
        for lane, mark in self._marks.of.items():
            if mark.waiting and len(rows) < limit:
                rows += self._waiting(lane, mark, limit - len(rows))
        for lane, mark in list(self._replays.of.items()):
            if len(rows) < limit:
                rows += self._again(lane, mark, limit - len(rows))
        return rows

    def _waiting(self, lane: str, mark: LaneMark, limit: int) -> list[Row]:
        query = f"{_ROWS} AND lane_seq > ? ORDER BY lane_seq LIMIT ?"
        found = self._db.execute(query, (lane, mark.done, limit + len(mark.ahead))).fetchall()
        return self._sound(found, mark)[:limit]

    def _again(self, lane: str, mark: LaneMark, limit: int) -> list[Row]:
        """Return the rows to send once more; what was removed meanwhile, or is in quarantine, is passed over."""
        query = f"{_ROWS} AND lane_seq > ? AND lane_seq <= ? AND seq NOT IN (SELECT seq FROM quarantine)"
        values = (lane, mark.done, mark.last, limit + len(mark.ahead))
        found = self._db.execute(f"{query} ORDER BY lane_seq LIMIT ?", values).fetchall()
        if not found:
            self._replays.end(lane)
            return []
        self._replays.skip(lane, [row[2] for row in found])
        return self._sound(found, mark, again=True)[:limit]

    def _sound(self, found: Sequence[tuple[Any, ...]], mark: LaneMark, again: bool = False) -> list[Row]:
        rows = []
        for seq, of_lane, lane_seq, id_, wall_ns, body, crc in found:
            row = Row(seq, of_lane, lane_seq, id_, wall_ns, body, self._attempts.get(seq, 0), again)
            if row.lane_seq in mark.ahead:
                continue
            if checksum(row.body) == crc:
                rows.append(row)
            else:
                self.quarantine(row, "checksum does not match: the disk returned other bytes than were written")
        return rows

    def confirm(self, stored: Mapping[str, int]) -> list[str]:
        """Note up to where the centre has each lane; return what of it cannot be, in words. It never goes back."""
        strange = []
        with self._transaction():
            for lane, number in stored.items():
                mark = self._marks.of[lane]
                if number > mark.last:
                    strange.append(f"{lane}: {number} was never given here, the last is {mark.last}")
                else:
                    mark.stored = max(mark.stored, number)
            self._marks.save()
        return strange

    def replay(self, lane: str, first: int) -> Replay:
        """Send a lane's events from ``first`` on once more, as far as they were sent and are kept."""
        mark = self._marks.of[lane]
        with self._transaction():
            return self._replays.begin(lane, max(1, first), max((mark.done, *mark.ahead)))

    def unconfirmed(self) -> int:
        """Return how many events were sent, and the centre has not said that it has them."""
        return sum(waiting for waiting, _ in self.confirmed().values())

    def confirmed(self) -> dict[str, tuple[int, int]]:
        """Return by lane how many events were sent and are not confirmed, and up to which number the centre has it."""
        marks = self._marks.of.items() if self.confirms else ()
        return {lane: (max(0, mark.done - mark.stored), mark.stored) for lane, mark in marks}

    def mark_sent(self, rows: Iterable[Row]) -> None:
        """Take rows as sent: the broker has them.

        The flush, which only a power cut needs, comes with the next event, or with every ``_MOST_UNFLUSHED`` rows.
        """
        sent = list(rows)
        self._unflushed += len(sent)
        flush = self._unflushed >= _MOST_UNFLUSHED
        with nullcontext() if flush else self._unflushing(), self._transaction():
            self._finish(sent)
        if flush:
            self._unflushed = 0

    def take_noted(self, notes: Iterable[tuple[int, str]]) -> None:
        """Take rows as sent that whoever was killed had noted (number and id), but had not marked."""
        rows = self._marks.waiting_among(notes)
        if rows:
            with self._transaction():
                self._marks.finish(rows)

    def mark_failed(self, seq: int) -> int:
        """Count a refused attempt; return how many there were."""
        tries = int(self._attempts.get(seq, 0)) + 1
        self._db.execute("INSERT OR REPLACE INTO attempt VALUES (?, ?)", (seq, tries))
        self._attempts[seq] = tries
        return tries

    def quarantine(self, row: Row, reason: str) -> None:
        """Take a row out of the way, and remember why."""
        with self._transaction():
            self._db.execute("INSERT OR REPLACE INTO quarantine VALUES (?, ?, ?)", (row.seq, reason, time.time_ns()))
            self._finish([row])

    def quarantined(self) -> dict[int, str]:
        """Return what is in quarantine, and why."""
        return dict(self._db.execute("SELECT seq, reason FROM quarantine ORDER BY seq"))

    def events(self, limit: int, after: int | None, lane: str | None) -> list[dict[str, Any]]:
        """Return envelopes with their ``journalseq``, oldest first: the newest, or the first behind ``after``.

        The newest of a lane are those of its highest numbers: there is an index for these, and none by ``seq``.
        """
        where = ["seq > ?"] if after is not None else []
        where += ["lane = ?"] if lane is not None else []
        values = [value for value in (after, lane) if value is not None]
        clause = f"WHERE {' AND '.join(where)}" if where else ""
        order = "seq ASC" if after is not None else "seq DESC" if lane is None else "lane_seq DESC"
        query = f"SELECT seq, hash, body FROM event {clause} ORDER BY {order} LIMIT ?"
        rows = self._db.execute(query, (*values, limit)).fetchall()
        rows = rows if after is not None else rows[::-1]
        return [Entry(*row).envelope() for row in rows]

    def stats(self) -> tuple[int, dict[str, int]]:
        """Return the number of the last event, and how many wait in each lane."""
        return self.last_seq, {lane: mark.waiting for lane, mark in self._marks.of.items()}

    def size_bytes(self) -> int:
        """Return the size of the file and its log."""
        files = (self.path, self.path.with_name(self.path.name + "-wal"))
        return sum(file.stat().st_size for file in files if file.exists())

    def verify(self) -> Iterator[str]:
        """Yield what is wrong with the chain: changed rows, rows that are missing, rows that were put in."""
        return verify(self._db)

    def prune(self, keep_s: float) -> None:
        """Delete some of the events that need no more sending and are older than ``keep_s``.

        The chain stays verifiable.
        """
        oldest_ns = time.time_ns() - int(keep_s * 1e9)
        for lane, mark in self._marks.of.items():
            self._remove(lane, mark, "lane_seq <= ? AND wall_ns < ?", (self._dispensable(lane, mark), oldest_ns))

    def _dispensable(self, lane: str, mark: LaneMark) -> int:
        """Return the last event of a lane that nobody may still want from us."""
        stored = mark.stored if self.confirms else mark.done
        again = self._replays.of.get(lane)
        return min(mark.done, stored, again.done if again is not None else mark.done)

    def shrink(self, lane: str, sent: bool) -> Removed:
        """Delete a lane's oldest events to make room: of those that were ``sent``, or of those that were not.

        Returns what went; what was not sent is lost, and the caller has to say so.
        """
        mark = self._marks.of[lane]
        return self._remove(lane, mark, "lane_seq <= ?" if sent else "lane_seq > ?", (mark.done,))

    def _remove(self, lane: str, mark: LaneMark, which: str, values: tuple[Any, ...]) -> Removed:
        query = (
            f"SELECT seq, lane_seq, length(body), hash FROM event WHERE lane = ? AND {which} ORDER BY lane_seq LIMIT ?"
        )
        found = self._db.execute(query, (lane, *values, _AT_ONCE)).fetchall()
        rows = found[: bisect_left(list(accumulate(size for _, _, size, _ in found)), _MOST_REMOVED) + 1]
        if not rows:
            return Removed()
        with self._transaction():
            removed = remove(self._db, rows)
            mark.bytes -= removed.bytes
            self._marks.finish([(lane, number) for _, number, _, _ in rows])
        return removed

    def _finish(self, rows: Iterable[Row]) -> None:
        done = list(rows)
        self._marks.finish([(row.lane, row.lane_seq) for row in done if not row.again])
        self._replays.finish((row.lane, row.lane_seq) for row in done if row.again)
        tried = [row.seq for row in done if row.seq in self._attempts]
        self._db.executemany("DELETE FROM attempt WHERE seq = ?", [(seq,) for seq in tried])
        for seq in tried:
            del self._attempts[seq]

    def _save_alarms(self, alarms: Sequence[Alarm]) -> None:
        rows = [(alarm.id, alarm_to_json(alarm), boot_id()) for alarm in alarms]
        self._db.executemany("INSERT OR REPLACE INTO alarm VALUES (?, ?, ?)", rows)

    @contextmanager
    def _transaction(self, size: int = 0, meanwhile: Callable[[], None] | None = None) -> Iterator[None]:
        """All or nothing, on disk at the end. The marks in memory are read anew when it was nothing."""
        self._checkpoints.prepare()
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._commit(meanwhile)
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            self._marks, self._replays = Marks(self._db), Replays(self._db)
            raise
        self._checkpoints.wrote(size)

    @contextmanager
    def _unflushing(self) -> Iterator[None]:
        """Commit without a flush meanwhile: the log keeps its order, and the next flush takes these commits along."""
        self._db.execute("PRAGMA synchronous = NORMAL")
        try:
            yield
        finally:
            self._db.execute("PRAGMA synchronous = FULL")

    def _commit(self, meanwhile: Callable[[], None] | None) -> None:
        if meanwhile is None:
            self._db.execute("COMMIT")
            return
        begun = threading.Event()
        flushed = self._flusher.submit(self._flush, begun)
        begun.wait()  # or it would wait for Python's lock until we are done
        try:
            meanwhile()
        finally:
            flushed.result()

    def _flush(self, begun: threading.Event) -> None:
        begun.set()
        self._db.execute("COMMIT")


def _readable(body: str) -> list[Alarm]:
    try:
        return [alarm_from_json(body)]
    except ValueError:
        return []
