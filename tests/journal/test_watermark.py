"""What the centre has stored, and what it wants once more."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from agent.core.clock import SystemClock
from agent.core.model import EventDraft, Lane
from agent.journal import Identity, JournalOptions
from agent.journal.keeping import Keeper
from agent.journal.outbox import LaneMark, Row
from agent.journal.store import Store

WHO = Identity("gw", "works", "hall", "0.1")


def drafts(count: int, lane: Lane = Lane.ALARM) -> list[EventDraft]:
    now = SystemClock().now()
    return [EventDraft("test", lane, str(number), {"pad": "x" * 500}, now) for number in range(count)]


def sent(path: Path, count: int) -> Store:
    """Return a store whose ``count`` events were all sent."""
    store = Store(path, WHO, confirms=True)
    store.append(store.compose(drafts(count)), ())
    store.mark_sent(store.pending(count))
    return store


def numbers(rows: Iterable[Row]) -> list[tuple[int, bool]]:
    return [(row.lane_seq, row.again) for row in rows]


def test_what_the_centre_has_not_confirmed_is_kept_beyond_its_time(tmp_path: Path) -> None:
    with closing(sent(tmp_path / "journal.db", 10)) as store:
        assert store.unconfirmed() == 10
        store.prune(0.0)
        assert len(store.events(99, 0, None)) == 10
        assert store.confirm({"alarm": 6}) == [] and store.unconfirmed() == 4
        store.prune(0.0)
        assert [event["seq"] for event in store.events(99, 0, None)] == [7, 8, 9, 10]
        assert store.confirm({"alarm": 3}) == [] and store.unconfirmed() == 4, "it never goes back"
        assert store.confirm({"alarm": 11}) == ["alarm: 11 was never given here, the last is 10"]
        assert list(store.verify()) == []


def test_a_watermark_outlives_the_process(tmp_path: Path) -> None:
    with closing(sent(tmp_path / "journal.db", 10)) as store:
        store.confirm({"alarm": 6})
    with closing(Store(tmp_path / "journal.db", WHO, confirms=True)) as store:
        assert store.unconfirmed() == 4


def test_a_full_lane_gives_way_and_says_what_was_not_confirmed(tmp_path: Path) -> None:
    told: list[tuple[object, ...]] = []
    keeper = Keeper(JournalOptions(max_mb=16, shares={Lane.ALARM: 0.00005}), lambda *loss: told.append(loss))
    with closing(sent(tmp_path / "journal.db", 10)) as store:
        store.confirm({"alarm": 4})
        keeper.keep(store)
    ((scope, count, reason, where),) = told
    assert (scope, count, where) == ("spool", 6, {"lane": "alarm", "first": 5, "last": 10})
    assert "the centre had not said that it has them" in str(reason)


def test_a_replay_goes_behind_what_waits_and_outlives_the_process(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    with closing(sent(path, 6)) as store:
        found = store.replay("alarm", 3)
        assert (found.first, found.last, found.count, found.missing) == (3, 6, 4, 0)
        store.append(store.compose(drafts(1)), ())
        assert numbers(store.pending(99)) == [(7, False), (3, True), (4, True), (5, True), (6, True)]
        store.prune(0.0)
        store.mark_sent([row for row in store.pending(99) if row.lane_seq in (3, 7)])
    with closing(Store(path, WHO, confirms=True)) as store:
        assert numbers(store.pending(99)) == [(4, True), (5, True), (6, True)]
        store.mark_sent(store.pending(99))
        assert store.pending(99) == []


def test_a_replay_passes_over_what_is_not_kept_and_says_so(tmp_path: Path) -> None:
    with closing(sent(tmp_path / "journal.db", 8)) as store:
        store.confirm({"alarm": 3})
        store.prune(0.0)
        row = next(row for row in _all(store) if row.lane_seq == 6)
        store.quarantine(row, "poison")
        found = store.replay("alarm", 1)
        assert (found.first, found.last, found.count, found.missing) == (4, 8, 5, 3)
        assert numbers(store.pending(99)) == [(4, True), (5, True), (7, True), (8, True)]
        store.mark_sent(store.pending(99))
        assert store.pending(99) == [] and store.replay("alarm", 99).count == 0


def _all(store: Store) -> list[Row]:
    return [
        Row(event["journalseq"], "alarm", event["seq"], event["id"], 0, b"", 0) for event in store.events(99, 0, None)
    ]


@given(st.integers(0, 30), st.sets(st.integers(1, 30)), st.integers(0, 30))
@settings(deadline=None)
def test_a_mark_moves_over_what_is_done_and_nothing_else(done: int, finished: set[int], skipped: int) -> None:
    mark = LaneMark(30, done)
    mark.finish(finished)
    mark.skip(skipped)
    known = set(range(1, done + 1)) | finished | set(range(1, skipped + 1))
    assert all(number in known for number in range(1, mark.done + 1))
    assert mark.done + 1 not in known
    assert mark.ahead == {number for number in known if number > mark.done}
