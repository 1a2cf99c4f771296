"""Walks the chain of hashes: what was changed, taken out or put in shows."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

from agent.journal.envelope import chain, checksum


def verify(db: sqlite3.Connection) -> Iterator[str]:
    """Yield what is wrong. What was deleted on purpose left a gap behind, with the hash at its end."""
    gaps = {first: (last, hash_) for first, last, hash_ in db.execute("SELECT first, last, hash FROM gap")}
    previous, expected = "", 1
    for seq, body, crc, hash_ in db.execute("SELECT seq, body, crc, hash FROM event ORDER BY seq"):
        last, skipped = gaps.get(expected, (expected - 1, previous))
        previous = skipped if last == seq - 1 else previous
        if checksum(body) != crc:
            yield f"event {seq}: its bytes do not match its checksum"
        if chain(previous, body) != hash_:
            yield f"event {seq}: the chain is broken here"
        previous, expected = hash_, seq + 1
    _, end = gaps.get(expected, (0, previous))
    if end != dict(db.execute("SELECT key, value FROM meta")).get("hash", ""):
        yield "events are missing at the end"
