"""The journal's SQLite file. Synchronous, and used by one thread only."""

from __future__ import annotations

import json
import re
import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from agent.core.model import Alarm, EventDraft, Lane, Remembered
from agent.journal.envelope import (
    Identity,
    alarm_from_json,
    alarm_to_json,
    boot_id,
    chain,
    checksum,
    encode,
    envelope,
)

RANK = {lane: rank for rank, lane in enumerate(Lane)}
KEEP_SENT_S = 7 * 86400.0
"""PUBACK is not delivery: sent events are kept this long, so that the centre can ask for them again."""
KEEP_SENT_ROWS = 1_000_000
KEEP_MEMORY_S = 30 * 86400.0
"""What a rule had learnt that is gone for so long is forgotten."""
_PRUNE_AT_ONCE = 500


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


class Damaged(Exception):  # noqa: N818 - a state of the file; the journal then starts a new one
    """The file is no usable journal."""


class Store:
    """One open file. Every method may raise sqlite3.Error; the connection is then not to be used again."""

    def __init__(self, path: Path, who: Identity, sends: bool = True) -> None:
        """Open or make the file; without ``sends`` there is no uplink, and nothing is put into the outbox."""
        self.path = path
        self._who = who
        self._sends = sends
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=5.0)
        try:
            self._prepare()
        except BaseException:
            self._db.close()
            raise
        meta = dict(self._db.execute("SELECT key, value FROM meta"))
        self._hash = meta.get("hash", "")
        self._lane_seq = {lane: int(meta.get(f"lane.{lane}", 0)) for lane in Lane}

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def append(self, events: Sequence[EventDraft], alarms: Sequence[Alarm]) -> list[dict[str, Any]]:
        """Write events, their outbox rows and alarm states in one durable transaction; return the envelopes."""
        previous, counters, bodies = self._hash, dict(self._lane_seq), []
        self._db.execute("BEGIN IMMEDIATE")
        try:
            for draft in events:
                counters[draft.lane] += 1
                body = envelope(draft, self._who, counters[draft.lane], previous)
                previous = self._insert(draft, body, previous)
                bodies.append(body)
            self._save_alarms(alarms)
            marks = [("hash", previous), *((f"lane.{lane}", str(last)) for lane, last in counters.items())]
            self._db.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", marks)
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise
        self._hash, self._lane_seq = previous, counters
        return bodies

    def alarms(self) -> list[tuple[Alarm, bool]]:
        """Return every saved alarm, and whether it was saved on this boot; unreadable ones are left out."""
        rows = self._db.execute("SELECT body, boot_id FROM alarm")
        return [(alarm, boot == boot_id()) for body, boot in rows for alarm in _readable(body)]

    def remember(self, rows: Sequence[Remembered]) -> None:
        """Save what conditions keep of the past; forget what nobody has saved for long."""
        now_ns, boot = time.time_ns(), boot_id()
        values = [(row.rule, row.fingerprint, row.body, boot, now_ns) for row in rows]
        self._many("INSERT OR REPLACE INTO memory VALUES (?, ?, ?, ?, ?)", values)
        self._many("DELETE FROM memory WHERE saved_ns < ?", [(now_ns - int(KEEP_MEMORY_S * 1e9),)])

    def memories(self) -> list[tuple[Remembered, bool]]:
        """Return what conditions kept of the past, and whether it was saved on this boot."""
        rows = self._db.execute("SELECT rule, fingerprint, body, boot_id FROM memory")
        return [(Remembered(*values), boot == boot_id()) for *values, boot in rows]

    def pending(self, limit: int) -> list[Row]:
        """Return the rows to send next: the first lane first, in order within each lane.

        A row whose bytes do not match its checksum goes to quarantine here, so that it blocks no other.
        """
        query = (
            "SELECT seq, lane, lane_seq, id, wall_ns, body, attempts, crc FROM outbox JOIN event USING (seq)"
            " ORDER BY rank, seq LIMIT ?"
        )
        rows = []
        for *values, crc in self._db.execute(query, (limit,)).fetchall():
            row = Row(*values)
            if checksum(row.body) == crc:
                rows.append(row)
            else:
                self.quarantine(row.seq, "checksum does not match: the disk returned other bytes than were written")
        return rows

    def mark_sent(self, seqs: Iterable[int]) -> None:
        """Take rows out of the outbox: the broker has them."""
        self._many("DELETE FROM outbox WHERE seq = ?", [(seq,) for seq in seqs])

    def mark_failed(self, seq: int) -> int:
        """Count a refused attempt; return how many there were."""
        query = "UPDATE outbox SET attempts = attempts + 1 WHERE seq = ? RETURNING attempts"
        rows = self._db.execute(query, (seq,)).fetchall()
        return int(rows[0][0]) if rows else 0

    def quarantine(self, seq: int, reason: str) -> None:
        """Take a row out of the way, and remember why."""
        self._db.execute("BEGIN IMMEDIATE")
        self._db.execute("INSERT OR REPLACE INTO quarantine VALUES (?, ?, ?)", (seq, reason, time.time_ns()))
        self._db.execute("DELETE FROM outbox WHERE seq = ?", (seq,))
        self._db.execute("COMMIT")

    def quarantined(self) -> dict[int, str]:
        """Return what is in quarantine, and why."""
        return dict(self._db.execute("SELECT seq, reason FROM quarantine ORDER BY seq"))

    def events(self, limit: int, after: int | None, lane: str | None) -> list[dict[str, Any]]:
        """Return envelopes with their ``journalseq``, oldest first: the newest, or the first behind ``after``."""
        where = ["seq > ?"] if after is not None else []
        where += ["lane = ?"] if lane is not None else []
        values = [value for value in (after, lane) if value is not None]
        clause = f"WHERE {' AND '.join(where)}" if where else ""
        order = "ASC" if after is not None else "DESC"
        query = f"SELECT seq, body, hash FROM event {clause} ORDER BY seq {order} LIMIT ?"
        rows = self._db.execute(query, (*values, limit)).fetchall()
        rows = rows if after is not None else rows[::-1]
        return [{"data": {}, **json.loads(body), "journalseq": seq, "hash": hash_} for seq, body, hash_ in rows]

    def stats(self) -> tuple[int, dict[str, int]]:
        """Return the number of the last event, and how many wait in each lane."""
        last = self._db.execute("SELECT coalesce(max(seq), 0) FROM event").fetchone()[0]
        waiting = dict(self._db.execute("SELECT rank, count(*) FROM outbox GROUP BY rank"))
        return int(last), {str(lane): waiting.get(rank, 0) for lane, rank in RANK.items()}

    def size_bytes(self) -> int:
        """Return the size of the file and its log."""
        files = (self.path, self.path.with_name(self.path.name + "-wal"))
        return sum(file.stat().st_size for file in files if file.exists())

    def verify(self) -> Iterator[str]:
        """Yield what is wrong with the chain: changed rows, rows that are missing, rows that were put in."""
        meta = dict(self._db.execute("SELECT key, value FROM meta"))
        previous = meta.get("anchor", "")
        for seq, body, crc, hash_ in self._db.execute("SELECT seq, body, crc, hash FROM event ORDER BY seq"):
            if checksum(body) != crc:
                yield f"event {seq}: its bytes do not match its checksum"
            if chain(previous, body) != hash_:
                yield f"event {seq}: the chain is broken here"
            previous = hash_
        if previous != meta.get("hash", ""):
            yield "events are missing at the end"

    def prune(self) -> int:
        """Delete the oldest events that were sent long ago; the chain stays verifiable from the anchor."""
        query = (
            "SELECT seq, hash FROM event WHERE seq < coalesce((SELECT min(seq) FROM outbox), 1 << 62)"
            " AND (wall_ns < ? OR seq <= (SELECT max(seq) FROM event) - ?) ORDER BY seq LIMIT ?"
        )
        oldest_ns = time.time_ns() - int(KEEP_SENT_S * 1e9)
        rows = self._db.execute(query, (oldest_ns, KEEP_SENT_ROWS, _PRUNE_AT_ONCE)).fetchall()
        if rows:
            self._db.execute("BEGIN IMMEDIATE")
            self._db.execute("DELETE FROM event WHERE seq <= ?", (rows[-1][0],))
            self._db.execute("INSERT OR REPLACE INTO meta VALUES ('anchor', ?)", (rows[-1][1],))
            self._db.execute("COMMIT")
        return len(rows)

    def _insert(self, draft: EventDraft, body: dict[str, Any], previous: str) -> str:
        octets = encode(body)
        digest = chain(previous, octets)
        wall_ns = int(draft.at.utc.timestamp() * 1e9)
        cursor = self._db.execute(
            "INSERT INTO event (lane, lane_seq, id, kind, wall_ns, body, crc, hash) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (draft.lane, body["seq"], body["id"], draft.kind, wall_ns, octets, checksum(octets), digest),
        )
        body.setdefault("data", {})
        body["journalseq"] = cursor.lastrowid
        body["hash"] = digest
        if self._sends:
            self._db.execute("INSERT INTO outbox (seq, rank) VALUES (?, ?)", (cursor.lastrowid, RANK[draft.lane]))
        return digest

    def _save_alarms(self, alarms: Sequence[Alarm]) -> None:
        rows = [(alarm.id, alarm_to_json(alarm), boot_id()) for alarm in alarms]
        self._db.executemany("INSERT OR REPLACE INTO alarm VALUES (?, ?, ?)", rows)

    def _many(self, query: str, rows: Sequence[tuple[Any, ...]]) -> None:
        self._db.execute("BEGIN IMMEDIATE")
        self._db.executemany(query, rows)
        self._db.execute("COMMIT")

    def _prepare(self) -> None:
        try:
            (mode,) = self._db.execute("PRAGMA journal_mode = WAL").fetchone()
            for pragma in ("synchronous = FULL", "foreign_keys = ON", "journal_size_limit = 67108864"):
                self._db.execute(f"PRAGMA {pragma}")
            (check,) = self._db.execute("PRAGMA quick_check(1)").fetchone()
            (full,) = self._db.execute("PRAGMA synchronous").fetchone()
            self._migrate()
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError):
                raise
            raise Damaged(str(error)) from error
        if check != "ok":
            raise Damaged(str(check))
        if mode != "wal" or full != 2:
            raise sqlite3.OperationalError(
                f"the file system does not keep a WAL (journal_mode {mode}, synchronous {full})"
            )

    def _migrate(self) -> None:
        (done,) = self._db.execute("PRAGMA user_version").fetchone()
        text = resources.files("agent.journal").joinpath("schema.sql").read_text(encoding="utf-8")
        steps = re.split(r"^-- migration (\d+)$", text, flags=re.MULTILINE)[1:]
        for number, sql in zip(map(int, steps[::2]), steps[1::2], strict=True):
            if number > done:
                self._db.executescript(f"BEGIN; {sql} PRAGMA user_version = {number}; COMMIT;")


def _readable(body: str) -> list[Alarm]:
    try:
        return [alarm_from_json(body)]
    except ValueError:
        return []
