"""What evidence there is, in memory and on the disk: added to, shown, checked and cleared away."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import ParamSpec, TypeVar

import structlog

from agent.core.model import EventDraft
from agent.core.ports import Clock
from agent.evidence.events import file_events, gone_events, item_event
from agent.evidence.item import ORIGINALS, Item, Order
from agent.evidence.options import EvidenceOptions
from agent.evidence.quota import Doomed, doomed
from agent.evidence.store import EvidenceStore
from agent.journal import Journal

log = structlog.get_logger(__name__)

P = ParamSpec("P")
T = TypeVar("T")


class Shelf:
    """Waits for disks in a thread of its own, never in the event loop. Methods may raise OSError."""

    def __init__(self, store: EvidenceStore, options: EvidenceOptions, journal: Journal, clock: Clock) -> None:
        self.orders: dict[str, Order] = {}
        self.store, self.options = store, options
        self._journal, self._clock = journal, clock
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="evidence")

    async def disk(self, work: Callable[P, T], *args: P.args, **more: P.kwargs) -> T:
        """Do what may wait for the disk."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, partial(work, *args, **more))

    def find(self, id_: str) -> tuple[Order, Item]:
        """Return the item of that id. Raises KeyError."""
        order = self.orders.get(id_.rpartition("/")[0])
        item = next((each for each in order.items if each.id == id_), None) if order is not None else None
        if order is None or item is None:
            raise KeyError(id_)
        return order, item

    async def begin(self, order: Order) -> None:
        """Take up an order, so that it is known after a crash, too."""
        await self._make_room()
        await self._save(order)

    async def add(self, order: Order, item: Item) -> Order:
        """Tell of a file that is on the disk, send it if the site wants that, and keep what is known of it."""
        order = order.with_item(item)
        self.orders[order.id] = order
        now = self._clock.now()
        sent = file_events(order, item, now) if item.kind in self.options.send else ()
        await self._record([item_event(order, item, now), *sent])
        await self._save(order)
        return order

    async def close(self, order: Order) -> None:
        """Nothing more comes of it."""
        await self._save(replace(order, open=False))

    async def tidy(self, missing_mb: float = 0.0) -> None:
        """Remove what has to go: the record first, then the files. While the journal fails nothing goes."""
        gone = doomed(self.orders.values(), self.options, self._clock.now().utc, missing_mb)
        if not gone:
            return
        self._journal.record(list(gone_events(gone, self._clock.now())), ())
        try:
            await self._journal.settled()
        except sqlite3.Error:
            return
        for each in gone:
            await self._remove(each)

    def expiry(self, kind: str, taken: datetime) -> str:
        """Return when a file of that kind goes, in ISO form."""
        keep_s = self.options.originals if kind in ORIGINALS else self.options.keep
        return (taken + timedelta(seconds=keep_s)).astimezone(UTC).isoformat()

    async def _make_room(self) -> None:
        for _ in range(2):
            missing_mb = self.options.free_mb - await self.disk(self.store.free_mb)
            if missing_mb <= 0:
                return
            await self.tidy(missing_mb)
        raise OSError(f"the disk has less than {self.options.free_mb} MB left")

    async def _record(self, events: Sequence[EventDraft]) -> None:
        self._journal.record(events, ())
        with suppress(sqlite3.Error):  # the journal tells of it itself, and keeps the events
            await self._journal.settled()

    async def _save(self, order: Order) -> None:
        self.orders[order.id] = order
        await self.disk(self.store.save, order)

    async def _remove(self, each: Doomed) -> None:
        order = self.orders[each.order.id]
        order = replace(order, items=tuple(item for item in order.items if item is not each.item))
        await self.disk(self.store.remove, order, each.item)
        if order.items or order.open:
            await self._save(order)
        else:
            del self.orders[order.id]
            await self.disk(self.store.drop, order)
