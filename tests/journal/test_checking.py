"""A large journal is checked for damage while it works: its alarms are back at once, and damage is still found."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest

from agent.core.clock import SystemClock
from agent.core.model import Alarm, AlarmState, EventDraft, Lane
from agent.journal import Identity, Journal
from agent.journal import checking as checking_module
from agent.journal import checkpoints as checkpoints_module
from agent.journal.checkpoints import Checkpoints
from tests.journal.damage import spoil

WHO, CLOCK = Identity("gw", "works", "hall", "0.1"), SystemClock()
_STANDING = Alarm("gas.HH", AlarmState.UNACKNOWLEDGED, active=True)


def _drafts(count: int) -> list[EventDraft]:
    return [EventDraft("test", Lane.ALARM, "gas.HH", {"text": "x" * 900}, CLOCK.now()) for _ in range(count)]


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A journal that counts as large: 400 events and an alarm that stands."""
    monkeypatch.setattr(checking_module, "AT_ONCE_BYTES", 100_000)
    path = tmp_path / "journal.db"
    with Journal(path, WHO, CLOCK) as journal:
        journal.record(_drafts(400), [_STANDING])
    return path


async def test_alarms_and_new_events_wait_for_no_check(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    may_end, real = threading.Event(), checking_module.fault_of

    def slow(db: object, whole: bool) -> str:
        return str(real(db, whole)) if not whole or may_end.wait(10.0) else "too slow"  # type: ignore[arg-type]

    monkeypatch.setattr(checking_module, "fault_of", slow)
    with Journal(path, WHO, CLOCK) as journal:
        async with asyncio.timeout(5.0):
            assert [alarm.id for alarm, _ in await journal.alarms()] == ["gas.HH"]
            journal.record(_drafts(1), ())
            await journal.settled()
        assert journal.last_seq == 401
        may_end.set()


async def test_damage_that_is_found_while_it_works_costs_only_what_cannot_be_read(path: Path) -> None:
    spoil(path, 300)
    with Journal(path, WHO, CLOCK) as journal:
        assert [alarm.id for alarm, _ in await journal.alarms()] == ["gas.HH"]
        journal.record(_drafts(5), [])
        losses: list[dict[str, object]] = []
        async with asyncio.timeout(15.0):
            while len(losses) < 2:
                await asyncio.sleep(0.1)
                with suppress(sqlite3.Error):  # whoever reads may come upon the damage before the check does
                    told = await journal.events(1000)
                    losses = [event["data"] for event in told if event["type"] == "anshao.loss.v1"]
        damaged, missing = losses
        assert damaged["scope"] == missing["scope"] == "journal" and missing["lane"] == "alarm"
        assert int(str(missing["first"])) <= 300 <= int(str(missing["last"])) and int(str(missing["count"])) < 20
        kept = {row.lane_seq for row in await journal.pending(1000)}
        assert set(range(1, 408)) - kept == set(range(int(str(missing["first"])), int(str(missing["last"])) + 1))
        assert await journal.verify() == []
    assert list(path.parent.glob("journal.db.damaged-*"))


async def test_who_ends_waits_for_no_check(path: Path) -> None:
    for _ in range(20):
        with Journal(path, WHO, CLOCK) as journal:
            await journal.settled()


async def test_no_event_waits_for_a_check_that_keeps_the_log_from_being_emptied(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever empties a log that is read waits for SQLite's 5 s."""
    monkeypatch.setattr(checkpoints_module, "EVERY_BYTES", 20_000)
    monkeypatch.setattr(checkpoints_module, "LARGEST_LOG_BYTES", 40_000)
    monkeypatch.setattr(Checkpoints, "_checkpoint", lambda _: time.sleep(0.2))  # one of a large file takes its time
    is_reading, may_end, real = threading.Event(), threading.Event(), checking_module.fault_of

    def slow(db: sqlite3.Connection, whole: bool) -> str:
        if whole:
            db.execute("BEGIN")
            db.execute("SELECT count(*) FROM event").fetchone()
            is_reading.set()
            may_end.wait(30.0)
            db.execute("COMMIT")
        return real(db, whole)

    monkeypatch.setattr(checking_module, "fault_of", slow)
    with Journal(path, WHO, CLOCK) as journal:
        await asyncio.to_thread(is_reading.wait, 10.0)
        async with asyncio.timeout(4.5):
            for _ in range(20):
                journal.record(_drafts(10), ())
                await journal.settled()
        may_end.set()
        assert journal.last_seq == 600 and not journal.stats.failed
