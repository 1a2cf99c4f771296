"""The journal as the rest of the agent sees it: record and go on. A thread of its own does what may wait for a disk."""

from __future__ import annotations

import asyncio
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import structlog

from agent.core.model import Alarm, EventDraft, Lane
from agent.core.ports import Clock
from agent.core.remembered import Remembered
from agent.journal.appending import Composed, Entry
from agent.journal.backlog import Attempt, Backlog, Batch
from agent.journal.ballast import Ballast, is_full
from agent.journal.envelope import Identity, encode
from agent.journal.keeping import Keeper
from agent.journal.notes import Notes
from agent.journal.opening import Damaged
from agent.journal.options import JournalOptions
from agent.journal.outbox import Row
from agent.journal.replays import Replay
from agent.journal.salvage import Salvage
from agent.journal.stats import JournalStats, Progress
from agent.journal.store import Store

log = structlog.get_logger(__name__)

T = TypeVar("T")
_RETRY_S = 2.0
_LAST_TRIES_S, _LAST_PAUSE_S = 8.0, 0.2
"""For how long, and how often, the disk is tried when the agent ends: what is in memory only would be lost."""
_TIGHT_BYTES = 4 << 20
"""Room for a transaction of 1 MB, for its log, and for the deletion that makes room for the next."""
_HOUSEKEEPING_EVERY_S = 1.0
_SALVAGE_AT_ONCE_S = 0.1


class Journal:
    """Implements ``agent.core.ports.Recorder``; use it as a context manager.

    ``last_seq`` is the journal number of the newest event on disk. Without ``sends`` (a site with no
    uplink) events are kept and pruned, but wait for nobody. With ``confirms`` they are kept until the centre
    says that it has them, as far as the quotas allow.
    ``on_commit`` is called from the journal's thread with what each commit wrote. ``rules_revision``
    goes into every event that is recorded from now on; rules may change while it runs.
    """

    def __init__(
        self,
        path: Path,
        who: Identity,
        clock: Clock,
        sends: bool = True,
        options: JournalOptions | None = None,
        confirms: bool = False,
    ) -> None:
        options = options or JournalOptions()
        self.path = path
        self._stats = JournalStats()
        self._progress = Progress()
        self.last_seq = 0
        self.on_commit: list[Callable[[list[Entry]], None]] = []
        self.rules_revision = who.rules_revision
        self._who = who
        self._sends, self._confirms = sends, confirms
        self._clock = clock
        self._backlog = Backlog()
        self._calls: queue.SimpleQueue[tuple[Callable[[Store], Any], Future[Any]]] = queue.SimpleQueue()
        self._wake = threading.Event()
        self._housekeeping_s = 0.0
        self._closing = False
        self._closed_s = 0.0
        self._store: Store | None = None
        self._keeper = Keeper(options, self._tell_loss)
        self._notes = Notes(path.with_name("journal.sent"))
        self._ballast = Ballast(path.with_name("journal.ballast"), options.ballast_mb << 20)
        self._salvage: Salvage | None = None
        self._cramped = self._suspect = False
        self._doubt: Attempt | None = None
        """Is being written, or failed: then nobody knows whether it is on the disk."""
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)

    def __enter__(self) -> Journal:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closed_s = time.monotonic()
        self._closing = True
        self._wake.set()
        self._thread.join(timeout=_LAST_TRIES_S + 2.0)

    @property
    def stats(self) -> JournalStats:
        """How it is, as of about a second ago."""
        hangs = "" if self._stats.failed else self._progress.hangs()
        return replace(self._stats, failed=hangs, in_memory=len(self._backlog)) if hangs else self._stats

    def record(self, events: Sequence[EventDraft], alarms: Sequence[Alarm]) -> None:
        """Take events and alarm states for one durable transaction; return at once."""
        self._backlog.add(events, alarms, self.rules_revision)
        self._wake.set()

    async def settled(self) -> None:
        """Wait until everything that was recorded before this call is on the disk. Raises sqlite3.Error."""
        await self._ask(lambda _: None)

    async def alarms(self) -> list[tuple[Alarm, bool]]:
        """Return the saved alarms, and of each whether its deadlines count on this boot."""
        return await self._ask(Store.alarms)

    def remember(self, rows: Sequence[Remembered]) -> None:
        """Save what conditions keep of the past, some time soon; while the disk fails it is not saved. Never blocks."""
        self._calls.put((lambda store: store.remember(rows), Future()))
        self._wake.set()

    async def memories(self) -> list[tuple[Remembered, bool]]:
        """Return what conditions kept of the past, and of each whether its times count on this boot."""
        return await self._ask(Store.memories)

    async def pending(self, limit: int) -> list[Row]:
        """Return the rows to send next, alarms first."""
        return await self._ask(lambda store: store.pending(limit))

    def note_sent(self, rows: Iterable[Row]) -> None:
        """Note rows as acknowledged, at once and for a kill only; ``mark_sent`` follows. Call it from one thread."""
        self._notes.add(rows)

    async def mark_sent(self, rows: Iterable[Row]) -> None:
        """Take rows as sent."""
        taken = list(rows)
        await self._ask(lambda store: store.mark_sent(taken))

    async def mark_failed(self, seq: int) -> int:
        """Count a refused attempt; return how many there were."""
        return await self._ask(lambda store: store.mark_failed(seq))

    async def confirm(self, stored: Mapping[str, int]) -> list[str]:
        """Note up to where the centre has each lane; return what of it cannot be, in words."""
        return await self._ask(lambda store: store.confirm(stored))

    async def replay(self, lane: str, first: int) -> Replay:
        """Send a lane's events from number ``first`` on once more."""
        return await self._ask(lambda store: store.replay(lane, first))

    async def quarantine(self, row: Row, reason: str) -> None:
        """Take a row out of the way, and journal that."""
        await self._ask(lambda store: store.quarantine(row, reason))
        where = {"journalseq": row.seq, "lane": row.lane, "first": row.lane_seq, "last": row.lane_seq}
        self._tell_loss("quarantine", 1, reason, where)

    async def events(self, limit: int, after: int | None = None, lane: str | None = None) -> list[dict[str, Any]]:
        """Return envelopes, oldest first."""
        return await self._ask(lambda store: store.events(limit, after, lane))

    async def verify(self) -> list[str]:
        """Return what is wrong with the chain."""
        return await self._ask(lambda store: list(store.verify()))

    async def _ask(self, call: Callable[[Store], T]) -> T:
        """Run ``call`` in the journal's thread. Raises sqlite3.Error while the disk fails."""
        future: Future[T] = Future()
        self._calls.put((call, future))
        self._wake.set()
        return await asyncio.wrap_future(future)

    def _run(self) -> None:
        retry_s = 0.0
        while not (self._closing and not self._backlog):
            self._wake.wait(timeout=1.0)
            self._wake.clear()
            if time.monotonic() < retry_s and not self._closing:
                self._refuse_calls()
                continue
            try:
                self._progress.begin()
                self._work()
                self._progress.end()
            except Exception as error:
                if not isinstance(error, (sqlite3.Error, OSError)):
                    log.exception("journal: a fault of the program")
                self._suspect = self._suspect or type(error) is sqlite3.DatabaseError  # its kinds blame no file
                self._failed(f"{type(error).__name__}: {error}", is_full(error))
                retry_s = time.monotonic() + _RETRY_S
                if self._closing and self._gives_up():
                    break
        if self._store is not None:
            self._store.close()
        self._notes.close()

    def _gives_up(self) -> bool:
        """Tell whether what still waits is lost with us; a disk that fails for a moment only gets another try."""
        if time.monotonic() > self._closed_s + _LAST_TRIES_S:
            log.error("journal closed without the last events", events=len(self._backlog), reason=self._stats.failed)
            return True
        time.sleep(_LAST_PAUSE_S)
        self._wake.set()
        return False

    def _work(self) -> None:
        is_new = self._store is None
        if self._store is None:
            self._store = self._open()
            self.last_seq = self._store.last_seq
            if self._doubt is not None:
                self._resolve(self._store, self._doubt)
        store = self._store
        if self._cramped:
            self._keeper.make_room(store)
            self._cramped = False
        if is_new:
            store.take_noted(self._notes.read())
        self._write(store)
        while not self._calls.empty():
            call, future = self._calls.get()
            self._write(store)  # what was recorded before the call comes before its answer
            _answer(call, store, future)
            self._progress.begin()
        if time.monotonic() >= self._housekeeping_s:
            self._housekeeping_s = time.monotonic() + _HOUSEKEEPING_EVERY_S
            self._keep_house(store)

    def _keep_house(self, store: Store) -> None:
        store.check.told()
        self._keeper.keep(store)
        self._ballast.lay()
        if self._salvage is not None:
            self._go_on_salvaging(store, self._salvage)
        last, pending = store.stats()
        hours = self._keeper.hours(store, time.monotonic())
        size, marks = store.size_bytes(), store.confirmed()
        waiting = sum(each for each, _ in marks.values())
        self._stats = JournalStats(last, pending, size, autonomy_h=hours, unconfirmed=waiting, confirmed=marks)

    def _mind_the_room(self, store: Store) -> None:
        """Without ballast nothing can be given back: keep the log empty, and room in the file for what comes next."""
        is_tight = self._ballast.is_missing
        store.keep_log_empty(is_tight)
        if is_tight and store.spare_bytes() + self._ballast.free_bytes < _TIGHT_BYTES:
            self._keeper.make_room(store)

    def _write(self, store: Store) -> None:
        """Write everything that waits. While the disk flushes one batch the next one is composed."""
        ahead: Attempt | None = None
        while self._backlog:
            self._mind_the_room(store)
            attempt = ahead or self._composed(store, self._backlog.next(self._loss))
            ahead = self._append(store, attempt)
            self._written(store, attempt)

    def _append(self, store: Store, attempt: Attempt) -> Attempt | None:
        """Write a batch; return the next one, if one waits already."""
        ahead: list[Attempt] = []
        count = len(attempt.composed.rows)

        def look_ahead() -> None:
            batch = self._backlog.behind(attempt.batch, count)
            ahead.append(self._composed(store, batch, attempt.composed))

        self._doubt = attempt
        is_last = len(self._backlog) <= count
        store.append(attempt.composed, list(attempt.batch.alarms.values()), None if is_last else look_ahead)
        return ahead[0] if ahead else None

    def _composed(self, store: Store, batch: Batch, behind: Composed | None = None) -> Attempt:
        """Compose; an event that cannot be written as JSON gives way to a loss, and stops no other."""
        try:
            return Attempt(batch, store.compose(batch.drafts, behind))
        except (TypeError, ValueError, RecursionError):
            return Attempt(batch, store.compose([self._writable(draft) for draft in batch.drafts], behind))

    def _written(self, store: Store, attempt: Attempt) -> None:
        """Forget what is on the disk now, and tell of it."""
        self._progress.begin()
        self._doubt = None
        self.last_seq = store.last_seq
        self._keeper.count(attempt.composed.sizes(), time.monotonic())
        self._backlog.written(attempt.batch, len(attempt.composed.rows))
        if self._stats.failed:
            log.info("journal back")
            self._stats = replace(self._stats, failed="")
        entries = attempt.composed.entries if self.on_commit else []
        for listener in self.on_commit:
            listener(entries)

    def _resolve(self, store: Store, doubt: Attempt) -> None:
        """Find out whether a transaction that failed is on the disk after all, so that nothing is written twice.

        A flush that failed leaves it in the log, and whoever opens the file next takes it for committed.
        """
        store.empty_log()  # by way of the file: what a failed flush left in the log may never reach the disk
        entries = doubt.composed.entries
        if entries and store.holds(entries[-1]):
            self._written(store, doubt)
        self._doubt = None

    def _writable(self, draft: EventDraft) -> EventDraft:
        try:
            encode(dict(draft.data))
        except (TypeError, ValueError, RecursionError) as error:
            log.error("an event cannot be written", kind=draft.kind, subject=draft.subject, reason=str(error))
            return self._loss("event", 1, f"not JSON: {error}", {"kind": draft.kind, "subject": draft.subject})
        return draft

    def _open(self) -> Store:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        try:
            store = Store(self.path, self._who, self._sends, self._confirms, self._suspect)
        except Damaged as error:
            aside = self._set_aside()
            log.error("journal damaged, a new one is begun", reason=str(error), kept=aside.name)
            self._tell_loss("journal", 0, f"the file is damaged ({error}); it was kept", {"file": aside.name})
            store = Store(self.path, self._who, self._sends, self._confirms)
            self._salvage = Salvage(aside)
            store.resume(self._salvage.lanes, self._salvage.alarms)
        self._suspect = False
        return store

    def _go_on_salvaging(self, store: Store, salvage: Salvage) -> None:
        """Take over a little of what can be read of a damaged file, so that the present does not wait for it."""
        until_s = time.monotonic() + _SALVAGE_AT_ONCE_S
        while not salvage.done and time.monotonic() < until_s:
            store.adopt(salvage.some())
        if not salvage.done:
            return
        for lane, numbers in salvage.missing():
            store.give_up(lane, numbers)
            where = {"lane": lane, "first": numbers[0], "last": numbers[-1], "file": salvage.path.name}
            self._tell_loss("journal", len(numbers), "the file was damaged, and these could not be read", where)
        saved = sum(map(len, salvage.found.values()))
        log.info("journal salvaged", events=saved, alarms=len(salvage.alarms), file=salvage.path.name)
        salvage.close()
        self._salvage = None

    def _set_aside(self) -> Path:
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
        aside = self.path.with_name(f"{self.path.name}.damaged-{stamp}")
        for suffix in ("", "-wal", "-shm"):
            part = self.path.with_name(self.path.name + suffix)
            if part.exists():
                part.rename(aside.with_name(aside.name + suffix))
        return aside

    def _failed(self, reason: str, full: bool = False) -> None:
        if full:
            self._ballast.release()
            self._cramped = True
        if not self._stats.failed:
            log.error("journal fails, events are kept in memory", reason=reason)
        self._stats = replace(self._stats, failed=reason, in_memory=len(self._backlog))
        store, self._store = self._store, None
        if store is not None:
            store.close()
        self._refuse_calls()

    def _refuse_calls(self) -> None:
        self._stats = replace(self._stats, in_memory=len(self._backlog))
        while not self._calls.empty():
            _, future = self._calls.get()
            if not future.cancelled():
                future.set_exception(sqlite3.OperationalError(self._stats.failed))

    def _tell_loss(self, scope: str, count: int, reason: str, details: Mapping[str, object]) -> None:
        self.record([self._loss(scope, count, reason, details)], ())

    def _loss(self, scope: str, count: int, reason: str, details: Mapping[str, object]) -> EventDraft:
        data = {"scope": scope, "count": count, "reason": reason, **details}
        return EventDraft("loss", Lane.ALARM, scope, data, self._clock.now())


def _answer(call: Callable[[Store], T], store: Store, future: Future[T]) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        future.set_result(call(store))
    except Exception as error:
        future.set_exception(error)
        raise
