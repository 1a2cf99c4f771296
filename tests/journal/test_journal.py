from __future__ import annotations

import asyncio
import json
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from concurrent.futures import Future
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.clock import SystemClock
from agent.core.model import Alarm, AlarmState, EventDraft, Lane, Timer, TimerKind
from agent.journal import Identity, Journal, JournalOptions
from agent.journal import appending as appending_module
from agent.journal import backlog as backlog_module
from agent.journal import journal as journal_module
from agent.journal import stats as stats_module
from agent.journal.envelope import alarm_from_json, alarm_to_json, uuid7
from agent.journal.store import Store
from tests.fakes import until

WHO = Identity("gw", "works", "hall", "0.1", "c1", "r1")
WRITER = [sys.executable, "-m", "tests.journal.writer"]


def draft(subject: str, lane: Lane = Lane.ALARM) -> EventDraft:
    return EventDraft("test", lane, subject, {"n": 1}, SystemClock().now(), zone="z")


def make(folder: Path) -> Journal:
    return Journal(folder / "journal.db", WHO, SystemClock())


async def settled(journal: Journal, count: int) -> list[dict[str, object]]:
    async with asyncio.timeout(5.0):
        while len(found := await journal.events(10_000)) < count:
            await asyncio.sleep(0.01)
    return found


async def test_lanes_have_their_order_and_alarms_go_first(tmp_path: Path) -> None:
    with make(tmp_path) as journal:
        journal.record([draft("t1", Lane.TELEMETRY), draft("s1", Lane.STATE), draft("a1"), draft("a2")], ())
        await settled(journal, 4)
        rows = await journal.pending(10)
        assert [(row.lane, row.lane_seq) for row in rows] == [
            ("alarm", 1),
            ("alarm", 2),
            ("state", 1),
            ("telemetry", 1),
        ]
        await journal.mark_sent([rows[0]])
        assert len(await journal.pending(10)) == 3
        assert len(await journal.events(10)) == 4, "what was sent is kept"
        assert await journal.verify() == []


async def test_an_event_that_is_no_json_gives_way_to_a_loss_and_stops_no_other(tmp_path: Path) -> None:
    endless: dict[str, object] = {}
    endless["itself"] = endless
    with make(tmp_path) as journal:
        bad = EventDraft("test", Lane.ALARM, "bad", endless, SystemClock().now())
        odd = EventDraft("test", Lane.ALARM, "odd", {"text": "\ud800"}, SystemClock().now())
        journal.record([draft("before"), bad, odd, draft("after")], ())
        events = await settled(journal, 4)
        assert [event["subject"] for event in events] == ["before", "event", "odd", "after"]
        assert await journal.verify() == []


async def test_without_an_uplink_nothing_waits_for_one(tmp_path: Path) -> None:
    with Journal(tmp_path / "journal.db", WHO, SystemClock(), sends=False) as journal:
        journal.record([draft("a1")], ())
        assert len(await settled(journal, 1)) == 1 and await journal.pending(10) == []


async def test_the_envelope_is_a_cloudevent_that_says_where_it_comes_from(tmp_path: Path) -> None:
    with make(tmp_path) as journal:
        journal.record([draft("a1")], ())
        (event,) = await settled(journal, 1)
    assert (event["specversion"], event["source"], event["type"]) == ("1.0", "/works/gw", "anshao.test.v1")
    assert (event["lane"], event["seq"], event["zone"], event["configrev"]) == ("alarm", 1, "z", "c1")
    assert UUID(str(event["id"])).version == 7 and datetime.fromisoformat(str(event["time"])).tzinfo is UTC


async def test_everything_survives_a_restart(tmp_path: Path) -> None:
    alarm = Alarm("gas.HH", AlarmState.ACKNOWLEDGED, True, True, Timer(TimerKind.OFF, 5.0, 77.5), acknowledged_by="li")
    with make(tmp_path) as journal:
        journal.record([draft("a1")], [alarm])
    with make(tmp_path) as again:
        assert await again.alarms() == [(alarm, True)]
        again.record([draft("a2")], [replace(alarm, count=2)])
        events = await settled(again, 2)
        assert [event["seq"] for event in events] == [1, 2] and await again.verify() == []


async def test_a_disk_that_fails_for_a_moment_at_the_end_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failures = [sqlite3.OperationalError("disk I/O error")] * 2
    append = Store.append

    def fail_twice(*args: Any) -> None:
        if failures:
            raise failures.pop()
        append(*args)

    with make(tmp_path) as journal:
        await journal.settled()
        monkeypatch.setattr(Store, "append", fail_twice)
        journal.record([draft("last")], ())
    with make(tmp_path) as journal:
        assert [event["subject"] for event in await settled(journal, 1)] == ["last"]
    assert not failures


async def test_a_fault_of_the_program_is_told_and_ends_no_journalling(tmp_path: Path) -> None:
    faults = iter([ValueError("a listener's fault")])

    def listener(_entries: object) -> None:
        for fault in faults:
            raise fault

    with make(tmp_path) as journal:
        journal.on_commit.append(listener)
        journal.record([draft("one")], ())
        await until(lambda: "a listener's fault" in journal.stats.failed)
        with pytest.raises(sqlite3.OperationalError):
            await journal.settled()
        journal.record([draft("two")], ())
        await until(lambda: journal.last_seq == 2, 5.0)
        with pytest.raises(ZeroDivisionError):
            await journal._ask(lambda _: 1 // 0)
        await until(lambda: "ZeroDivisionError" in journal.stats.failed)
        journal.record([draft("three")], ())
        await until(lambda: journal.last_seq == 3, 5.0)
        assert [event["subject"] for event in await journal.events(10)] == ["one", "two", "three"]


async def test_many_events_at_once_are_one_chain_and_a_failed_batch_is_written_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_module, "_RETRY_S", 0.01)
    insert, count = appending_module.insert, 0

    def fail_now_and_then(*args: Any) -> None:
        nonlocal count
        count += 1
        insert(*args)
        if count in (2, 5):
            raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr("agent.journal.store.insert", fail_now_and_then)
    names = [str(number) for number in range(3_123)]
    with make(tmp_path) as journal:
        journal.record([draft(name, Lane.STATE if name.endswith("7") else Lane.ALARM) for name in names], ())
        await until(lambda: journal.last_seq >= len(names), limit_s=20.0)
        assert [event["subject"] for event in await journal.events(10_000)] == names
        assert await journal.verify() == []
    assert count > 6, "two batches failed, with the next one composed behind them"


async def test_a_flipped_bit_is_found_and_blocks_no_other(tmp_path: Path) -> None:
    with make(tmp_path) as journal:
        journal.record([draft(str(number)) for number in range(5)], ())
    with closing(sqlite3.connect(tmp_path / "journal.db")) as raw, raw:
        (body,) = raw.execute("SELECT body FROM event WHERE seq = 3").fetchone()
        raw.execute("UPDATE event SET body = ? WHERE seq = 3", (bytes([body[0] ^ 1]) + body[1:],))
    with make(tmp_path) as again:
        assert [row.seq for row in await again.pending(10)] == [1, 2, 4, 5]
        faults = await again.verify()
        assert any(fault.startswith("event 3: its bytes") for fault in faults)


async def test_a_row_that_was_taken_out_breaks_the_chain(tmp_path: Path) -> None:
    with make(tmp_path) as journal:
        journal.record([draft(str(number)) for number in range(5)], ())
    with closing(sqlite3.connect(tmp_path / "journal.db")) as raw, raw:
        raw.execute("DELETE FROM event WHERE seq = 2")
    with make(tmp_path) as again:
        assert await again.verify() == ["event 3: the chain is broken here"]


@pytest.mark.parametrize("damage", ["garbage", "torn", "empty"])
async def test_a_damaged_file_is_kept_aside_and_the_start_never_fails(tmp_path: Path, damage: str) -> None:
    with make(tmp_path) as journal:
        journal.record([draft(str(number)) for number in range(200)], ())
    path = tmp_path / "journal.db"
    octets = path.read_bytes()
    path.write_bytes(
        {"garbage": random.Random(1).randbytes(8192), "torn": octets[: len(octets) // 2 + 100], "empty": b""}[damage]
    )
    for log in tmp_path.glob("journal.db-*"):
        log.unlink()
    with make(tmp_path) as again:
        again.record([draft("after")], ())
        events = await settled(again, 1 if damage == "empty" else 2)
    assert "after" in {event["subject"] for event in events}
    told = "anshao.loss.v1" in {event["type"] for event in events}
    kept = list(tmp_path.glob("journal.db.damaged-*")) != []
    assert told is kept is (damage != "empty")


async def test_old_sent_events_go_and_the_chain_stays_whole(tmp_path: Path) -> None:
    with Journal(tmp_path / "journal.db", WHO, SystemClock(), options=JournalOptions(keep=0.0)) as journal:
        journal.record([draft(str(number)) for number in range(10)], ())
        await settled(journal, 10)
        await journal.mark_sent((await journal.pending(10))[:7])
        await until(lambda: journal.stats.events == 10)
        async with asyncio.timeout(5.0):
            while len(events := await journal.events(100)) > 3:
                await asyncio.sleep(0.05)
        assert [event["journalseq"] for event in events] == [8, 9, 10] and await journal.verify() == []


async def test_a_disk_that_hangs_is_told_and_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stats_module, "HANGS_AFTER_S", 0.2)
    answers = threading.Event()
    with make(tmp_path) as journal:
        await journal.settled()
        await asyncio.sleep(0.4)
        assert journal.stats.failed == "", "idle is not hanging"
        journal._calls.put((lambda _: answers.wait(30), Future()))
        journal._wake.set()
        await asyncio.sleep(0.1)
        journal.record([draft("a")] * 3, ())
        await until(lambda: "has not answered" in journal.stats.failed)
        assert journal.stats.in_memory == 3
        answers.set()
        await until(lambda: journal.stats.failed == "")
        assert len(await journal.events(10)) == 3


async def test_while_the_disk_fails_nothing_blocks_and_alarms_are_dropped_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backlog_module, "MOST_IN_MEMORY", 10)
    monkeypatch.setattr(journal_module, "_RETRY_S", 0.1)
    folder = tmp_path / "disk"
    folder.write_text("a file where the folder should be")
    with make(folder) as journal:
        journal.record([draft("t", Lane.TELEMETRY)] * 8 + [draft("a")] * 8, ())
        await until(lambda: journal.stats.failed != "")
        with pytest.raises(sqlite3.OperationalError):
            await journal.events(1)
        folder.unlink()
        events = await _eventually(journal, 11)
    assert [event["type"] for event in events].count("anshao.test.v1") == 10
    assert sum(event["lane"] == "alarm" and event["subject"] == "a" for event in events) == 8
    (loss,) = [event["data"] for event in events if event["type"] == "anshao.loss.v1"]
    assert isinstance(loss, dict) and (loss["count"], loss["lane"]) == (6, "telemetry")


async def _eventually(journal: Journal, count: int) -> list[dict[str, object]]:
    deadline_s = time.monotonic() + 8.0
    while time.monotonic() < deadline_s:
        try:
            if len(events := await journal.events(1000)) >= count:
                return events
        except sqlite3.OperationalError:
            pass
        await asyncio.sleep(0.05)
    raise AssertionError(f"the journal did not recover: {journal.stats}")


@pytest.mark.slow
async def test_kill_dash_nine_loses_nothing_that_was_committed(tmp_path: Path) -> None:
    rng, told = random.Random(7), 0
    for _ in range(15):
        writer = subprocess.Popen([*WRITER, str(tmp_path / "journal.db")], stdout=subprocess.PIPE, text=True)
        assert writer.stdout is not None
        await asyncio.to_thread(writer.stdout.readline)  # a busy machine starts slowly
        await asyncio.sleep(rng.random() * 0.3)
        writer.send_signal(signal.SIGKILL)
        output, _ = writer.communicate()
        told = max([told, *(int(line.split()[1]) for line in output.splitlines() if len(line.split()) == 2)])
    assert told > 15
    with make(tmp_path) as journal:
        rows = await journal.pending(100_000)
        assert [row.lane_seq for row in rows] == list(range(1, len(rows) + 1)) and len(rows) >= told
        assert await journal.verify() == []
        ((alarm, same_boot),) = await journal.alarms()
        assert same_boot and str(alarm.count) == json.loads(rows[-1].body)["subject"], "state and event are one"


@given(
    st.builds(
        Alarm,
        st.text(min_size=1),
        st.sampled_from(AlarmState),
        st.none() | st.booleans(),
        st.booleans(),
        st.none() | st.builds(Timer, st.sampled_from(TimerKind), st.floats(0, 1e6), st.none() | st.floats(0, 1e6)),
        value=st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | st.text(),
        raised_at=st.none() | st.datetimes(timezones=st.just(UTC)),
    )
)
def test_a_saved_alarm_is_the_alarm(alarm: Alarm) -> None:
    assert alarm_from_json(alarm_to_json(alarm)) == alarm


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"id": 1}', "nonsense"])
def test_what_is_no_alarm_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError):
        alarm_from_json(text)


def test_uuid7_sorts_by_time_and_is_valid() -> None:
    made = [uuid7(wall_ms) for wall_ms in (1, 2, 1_800_000_000_000)]
    assert made == sorted(made) and all(UUID(text).version == 7 and UUID(text).variant for text in made)
