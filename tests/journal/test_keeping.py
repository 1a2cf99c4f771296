"""Room, and what happens when there is none: quotas, full disks, damaged files, and the chain through all of it."""

from __future__ import annotations

import asyncio
import json
import random
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from agent.cli.main import app
from agent.core.clock import SystemClock
from agent.core.model import Alarm, AlarmState, EventDraft, Lane
from agent.journal import Identity, Journal, JournalOptions
from agent.journal.autonomy import LONGEST_H, Autonomy
from agent.journal.checkpoints import EVERY_BYTES
from agent.journal.composing import Composer
from agent.journal.envelope import encode, envelope
from agent.journal.outbox import LaneMark
from agent.journal.store import Store
from tests.journal.damage import spoil

WHO = Identity("gw", "works", "hall", "0.1", "c1", "r1")
CLOCK = SystemClock()


def drafts(count: int, lane: Lane = Lane.ALARM, size: int = 10) -> list[EventDraft]:
    return [EventDraft("test", lane, str(number), {"text": "x" * size}, CLOCK.now()) for number in range(count)]


class Small(JournalOptions):
    """A kilobyte or so for each lane."""

    def limit_bytes(self, lane: str) -> int:
        return 40_000 if lane == Lane.ALARM else 10_000


async def until_told(journal: Journal, losses: int) -> list[dict[str, Any]]:
    events: list[dict[str, Any]] = []
    async with asyncio.timeout(15.0):
        while True:
            with suppress(sqlite3.OperationalError):  # a full disk, for a while
                events = await journal.events(10_000, lane="alarm")
            found = [event["data"] for event in events if event["type"] == "anshao.loss.v1"]
            if len(found) >= losses:
                return found
            await asyncio.sleep(0.05)


async def test_a_full_lane_loses_its_own_oldest_and_says_which(tmp_path: Path) -> None:
    with Journal(tmp_path / "journal.db", WHO, CLOCK, options=Small()) as journal:
        journal.record([*drafts(10), *drafts(700, Lane.TELEMETRY), *drafts(10, Lane.STATE)], ())
        loss = (await until_told(journal, 1))[0]
        assert (loss["scope"], loss["lane"], loss["first"]) == ("spool", "telemetry", 1)
        assert loss["count"] == loss["last"] == 500
        rows = await journal.pending(10_000)
        kept = [(row.lane, row.lane_seq) for row in rows]
        assert [number for lane, number in kept if lane == "state"] == list(range(1, 11))
        assert {number for lane, number in kept if lane == "alarm"} >= set(range(1, 11))
        assert (lane_seqs := [number for lane, number in kept if lane == "telemetry"])[-1:] == [700] or not lane_seqs
        assert await journal.verify() == []


async def test_what_was_sent_makes_room_before_anything_is_lost(tmp_path: Path) -> None:
    with Journal(tmp_path / "journal.db", WHO, CLOCK, options=Small()) as journal:
        journal.record(drafts(15, Lane.STATE), ())
        await journal.mark_sent(await journal.pending(15))
        journal.record(drafts(10, Lane.STATE), ())
        async with asyncio.timeout(10.0):
            while len(found := await journal.events(100)) > 15:
                await asyncio.sleep(0.05)
        assert "anshao.loss.v1" not in {event["type"] for event in found}
        assert [row.lane_seq for row in await journal.pending(100)] == list(range(16, 26))
        assert await journal.verify() == []


@given(st.lists(st.integers(1, 60), max_size=40))
def test_a_mark_moves_over_what_is_done_and_over_nothing_else(done: list[int]) -> None:
    mark, seen = LaneMark(last=60), set()
    for number in done:
        mark.finish([number])
        seen.add(number)
        assert {number for number in range(1, 61) if number <= mark.done or number in mark.ahead} == seen
        assert mark.waiting == 60 - len(seen) and mark.done + 1 not in mark.ahead


@settings(deadline=None)
@given(st.lists(st.sampled_from(["append", "send", "drop", "reopen"]), max_size=12), st.randoms(use_true_random=False))
def test_deletions_never_break_the_chain(steps: list[str], rng: random.Random) -> None:
    with TemporaryDirectory() as folder:
        _play(Path(folder) / "journal.db", steps, rng)


def _play(path: Path, steps: list[str], rng: random.Random) -> None:
    store = Store(path, WHO)
    for step in steps:
        if step == "append":
            store.append(store.compose([event for lane in Lane for event in drafts(rng.randint(0, 3), lane)]), ())
        elif step == "send":
            store.mark_sent([row for row in store.pending(20) if rng.random() < 0.6])
        elif step == "drop":
            store.shrink(rng.choice(list(store.lanes)), sent=rng.random() < 0.7)
        else:
            store.close()
            store = Store(path, WHO)
        assert list(store.verify()) == []
        assert sum(mark.waiting for mark in store.lanes.values()) == len(store.pending(10_000))
    store.close()


@given(
    st.dictionaries(st.text(), st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats() | st.text()),
    st.text(),
    st.text(max_size=5),
    st.booleans(),
)
def test_the_fast_envelope_is_the_envelope(data: dict[str, Any], subject: str, zone: str, test: bool) -> None:
    draft = EventDraft("test", Lane.STATE, subject, data, CLOCK.now(), zone, test, "r2")
    id_, wall_ns, body = Composer(WHO)(draft, 7, "ab")
    slow = json.loads(encode(envelope(draft, WHO, 7, "ab")))
    assert wall_ns == int(draft.at.utc.timestamp() * 1e9)
    assert json.dumps({**slow, "id": id_}, sort_keys=True) == json.dumps(json.loads(body), sort_keys=True)


async def test_an_older_file_is_taken_over(tmp_path: Path) -> None:
    """A file of version 2: an outbox table, an anchor, one row refused twice, one sent out of order."""
    path = tmp_path / "journal.db"
    with closing(Store(path, WHO)) as store:
        store.append(store.compose(drafts(6)), ())
        rows = store.pending(6)
        first = store._db.execute("SELECT hash FROM event WHERE seq = 1").fetchone()[0]
    with closing(sqlite3.connect(path)) as raw, raw:
        raw.executescript(
            "DROP TABLE lane; DROP TABLE ahead; DROP TABLE attempt; DROP TABLE gap; DROP TABLE replay;"
            "PRAGMA user_version = 2;"
            "CREATE TABLE outbox (seq INTEGER PRIMARY KEY REFERENCES event (seq) ON DELETE CASCADE,"
            " rank INTEGER NOT NULL, attempts INTEGER NOT NULL DEFAULT 0) STRICT;"
            "INSERT INTO outbox VALUES (3, 0, 2), (5, 0, 0), (6, 0, 0); INSERT INTO meta VALUES ('lane.alarm', '6');"
            "DELETE FROM event WHERE seq = 1;"
        )
        raw.execute("INSERT INTO meta VALUES ('anchor', ?)", (first,))
    with closing(Store(path, WHO)) as store:
        assert [(row.seq, row.attempts, row.body) for row in store.pending(9)] == [
            (3, 2, rows[2].body),
            (5, 0, rows[4].body),
            (6, 0, rows[5].body),
        ]
        composed = store.compose(drafts(1))
        store.append(composed, ())
        (entry,) = composed.entries
        assert entry.seq == 7 and entry.envelope()["seq"] == 7 and list(store.verify()) == []


async def test_a_damaged_file_gives_back_its_alarms_and_what_can_be_read(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    with Journal(path, WHO, CLOCK) as journal:
        journal.record(drafts(400, size=900), [Alarm("gas.HH", AlarmState.UNACKNOWLEDGED, active=True)])
        await journal.settled()
        await journal.mark_sent((await journal.pending(100))[:50])
    spoil(path, 300)
    with Journal(path, WHO, CLOCK) as again:
        assert [alarm.id for alarm, _ in await again.alarms()] == ["gas.HH"]
        damaged, missing = (await until_told(again, 2))[:2]
        assert damaged["scope"] == missing["scope"] == "journal" and missing["lane"] == "alarm"
        assert missing["first"] <= 300 <= missing["last"] and missing["count"] < 20
        numbers = {row.lane_seq for row in await again.pending(1000)} - {401, 402}
        lost = set(range(51, 401)) - numbers
        assert len(lost) == missing["count"] and numbers <= set(range(51, 401))
        assert await again.verify() == []


@pytest.mark.server
async def test_on_a_full_disk_alarms_are_kept_and_the_queue_drains(small_disk: Path) -> None:
    options = JournalOptions(max_mb=1000, ballast_mb=8)
    with Journal(small_disk / "journal.db", WHO, CLOCK, options=options) as journal:
        for _ in range(70):
            journal.record([*drafts(40, Lane.TELEMETRY, 20_000), *drafts(2)], ())
            await asyncio.sleep(0.02)
        losses = await until_told(journal, 1)
        assert {loss["lane"] for loss in losses} == {"telemetry"} and losses[0]["reason"] == "the disk is full"
        rows = [row for row in await journal.pending(10_000) if row.lane == "alarm"]
        assert [row.lane_seq for row in rows][:140] == list(range(1, 141)), "no alarm is lost"
        await journal.mark_sent(await journal.pending(10_000))
        journal.record(drafts(1, size=4000), ())
        await journal.settled()
        assert journal.stats.failed == "" and await journal.verify() == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=48m", "none", str(folder)], check=False)
    if mounted.returncode:
        pytest.skip("a small file system cannot be mounted here")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_autonomy_is_room_over_pace() -> None:
    lane = Autonomy()
    assert lane.hours(1e6, 0.0) == LONGEST_H
    for minute in range(120):
        lane.add(1000, minute * 60.0)
    assert lane.hours(600_000, 119 * 60.0) == pytest.approx(10.0, rel=0.05)
    assert lane.hours(600_000, 1e6) == LONGEST_H and lane.hours(-5, 119 * 60.0) == 0.0


def test_the_command_line_reads_the_file(tmp_path: Path) -> None:
    path, run = tmp_path / "journal.db", CliRunner()
    with closing(Store(path, WHO)) as store:
        odd = EventDraft("test", Lane.STATE, "=1+1", {"text": "阀门"}, CLOCK.now())
        store.append(store.compose([*drafts(3), odd]), ())
    assert (
        "4 events, 0 deleted by age or for want of room: sound"
        in run.invoke(app, ["journal", "verify", str(path)]).output
    )
    lines = run.invoke(app, ["journal", "export", str(tmp_path), "--from", "3"]).output.splitlines()
    assert [json.loads(line)["journalseq"] for line in lines] == [3, 4]
    table = run.invoke(app, ["journal", "export", str(path), "--format", "csv", "--lane", "state"]).output
    assert "'=1+1" in table and "阀门" in table and table.count("\n") == 2
    assert '"subject": "2"' in run.invoke(app, ["journal", "show", "3", str(path)]).output
    assert run.invoke(app, ["journal", "show", "9", str(path)]).exit_code == 1
    with closing(sqlite3.connect(path)) as raw, raw:
        raw.execute("UPDATE event SET body = x'7b7d' WHERE seq = 2")
    spoilt = run.invoke(app, ["journal", "verify", str(path)])
    assert spoilt.exit_code == 1 and "event 2: its bytes do not match" in spoilt.output
    missing = run.invoke(app, ["journal", "verify", str(tmp_path / "none.db")])
    assert missing.exit_code == 1 and "cannot be read as a journal" in missing.output


def test_a_log_that_killed_agents_left_does_not_grow_from_start_to_start(tmp_path: Path) -> None:
    left = tmp_path / "left"
    left.mkdir()
    big = EventDraft("test", Lane.STATE, "s", {"text": "x" * 50_000}, CLOCK.now())
    store = Store(tmp_path / "journal.db", WHO)
    store.append(store.compose([big] * 20), ())
    for _ in range(4):
        store._checkpoints._since = 0  # as if each of these had been another agent, killed at once
        store.append(store.compose([big] * 20), ())
    for path in tmp_path.glob("journal.db*"):
        shutil.copy(path, left / path.name)
    store.close()
    assert (left / "journal.db-wal").stat().st_size > EVERY_BYTES
    again = Store(left / "journal.db", WHO)
    again.append(again.compose([big]), ())
    again.append(again.compose([big]), ())
    again._checkpoints._thread.submit(lambda: None).result()
    again.append(again.compose([big]), ())
    busy, in_log, moved = again._db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
    again.close()
    assert busy == 0 and in_log == moved < 100, "the log has begun anew"
