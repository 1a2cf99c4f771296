"""What was acknowledged is noted: a kill before it is marked sends it no second time, and no note hides an event."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.core.clock import SystemClock
from agent.core.model import EventDraft, Lane
from agent.journal import Identity, Journal
from agent.journal.notes import NOTES, Notes

WHO, CLOCK = Identity("gw", "works", "hall", "0.1"), SystemClock()


@pytest.fixture
def path(tmp_path: Path) -> Iterator[Path]:
    """A journal with 20 events, closed."""
    with Journal(tmp_path / "journal.db", WHO, CLOCK) as journal:
        journal.record([EventDraft("test", Lane.ALARM, "a", {}, CLOCK.now()) for _ in range(20)], ())
    yield tmp_path / "journal.db"


async def waiting(path: Path) -> list[int]:
    with Journal(path, WHO, CLOCK) as journal:
        return [row.lane_seq for row in await journal.pending(100)]


async def test_what_was_noted_and_not_marked_is_not_sent_again(path: Path) -> None:
    with Journal(path, WHO, CLOCK) as journal:
        journal.note_sent((await journal.pending(100))[2:5])
    assert await waiting(path) == [1, 2, *range(6, 21)]
    assert await waiting(path) == [1, 2, *range(6, 21)], "it is marked now"


async def test_notes_of_another_journal_mean_nothing_to_this_one(path: Path, tmp_path: Path) -> None:
    with Journal(path, WHO, CLOCK) as journal:
        journal.note_sent(await journal.pending(100))
    other = tmp_path / "other"
    other.mkdir()
    with Journal(other / "journal.db", WHO, CLOCK) as journal:
        journal.record([EventDraft("test", Lane.ALARM, "a", {}, CLOCK.now()) for _ in range(20)], ())
    (other / "journal.sent").write_bytes(path.with_name("journal.sent").read_bytes())
    assert await waiting(other / "journal.db") == list(range(1, 21))


@pytest.mark.parametrize("content", [b"", b"\xff" * 1000, os.urandom(4096), b"\x01" + bytes(43)])
async def test_damaged_notes_hide_no_event(path: Path, content: bytes) -> None:
    path.with_name("journal.sent").write_bytes(content)
    assert await waiting(path) == list(range(1, 21))


async def test_without_a_place_for_notes_everything_else_goes_on(path: Path) -> None:
    path.with_name("journal.sent").mkdir()
    with Journal(path, WHO, CLOCK) as journal:
        rows = await journal.pending(5)
        journal.note_sent(rows)
        await journal.mark_sent(rows)
    assert await waiting(path) == list(range(6, 21))


async def test_the_oldest_notes_give_way(path: Path) -> None:
    with Journal(path, WHO, CLOCK) as journal:
        rows = await journal.pending(100)
    notes = Notes(path.with_name("journal.sent"))
    notes.add([rows[0], *[rows[1]] * NOTES])
    notes.close()
    assert {seq for seq, _ in notes.read()} == {rows[1].seq} and len(notes.read()) == NOTES
