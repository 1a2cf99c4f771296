"""From an alarm's transition to evidence: asked for once the alarm is on the disk, so that it delays nothing."""

from __future__ import annotations

import asyncio
import sqlite3
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import aclosing
from datetime import datetime, timedelta
from typing import Any

import structlog

from agent.core.errors import NotAllowed, NotConnected
from agent.core.model import Action, AlarmDefinition, Operator, Priority
from agent.core.ports import Clock, EvidenceFile, Witness
from agent.evidence.events import FILE, file_events, loss_event, with_content
from agent.evidence.item import ORIGINALS, Item, ItemRow, Order
from agent.evidence.options import EvidenceOptions
from agent.evidence.shelf import Shelf
from agent.evidence.store import EvidenceStore
from agent.journal import Entry, Journal, boot_id
from agent.journal.envelope import decode, encode, uuid7
from agent.reports import operator_event

log = structlog.get_logger(__name__)

TIDY_EVERY_S = 30.0
_EXPECTED = ("snapshot", "annotated", "clip")
_TRANSITION = "anshao.alarm.transition.v1"
_LOOK_BACK = 100
REQUESTED = "requested"
"""Stands for the alarm where the centre asked for the file."""
_LOST = "the gateway stopped before it was kept"


class Evidence:
    """Whatever fails here costs the evidence only, and a loss event says so."""

    def __init__(
        self,
        store: EvidenceStore,
        options: EvidenceOptions,
        witnesses: Mapping[str, Witness],
        definitions: Callable[[], Mapping[str, AlarmDefinition]],
        journal: Journal,
        clock: Clock,
        health: Collection[str],
    ) -> None:
        """``health`` names the points of a camera that tell of the camera, not of what it sees."""
        self._shelf = Shelf(store, options, journal, clock)
        self._options, self._witnesses, self._definitions = options, witnesses, definitions
        self._journal, self._clock, self._health = journal, clock, health
        self._raised: deque[dict[str, Any]] = deque()
        self._asked: deque[tuple[Order, str]] = deque()
        self._wake = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._told: set[str] = set()
        if witnesses:
            journal.on_commit.append(self._committed)

    async def run(self) -> None:
        """Keep evidence until cancelled."""
        self._loop = asyncio.get_running_loop()
        await self._recover()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._tidy(), name="evidence tidy")
            while True:
                while self._raised:
                    for order in self._orders(self._raised.popleft()):
                        group.create_task(self._collect(order), name=f"evidence {order.id}")
                while self._asked:
                    order, kind = self._asked.popleft()
                    group.create_task(self._deliver(order, kind), name=f"evidence {order.id}")
                self._wake.clear()
                await self._wake.wait()

    def rows(self, alarm: str | None, occurrence: str | None) -> list[ItemRow]:
        """Return what there is, the oldest first; of one alarm or occurrence only."""
        wanted = [
            order
            for order in self._shelf.orders.values()
            if alarm in (None, order.alarm) and occurrence in (None, order.occurrence)
        ]
        return [order.row(item) for order in wanted for item in order.items]

    async def content(self, id_: str, operator: Operator | None) -> tuple[str, bytes]:
        """Return media type and bytes of a file. Raises KeyError, and NotAllowed if it must not be shown as sound."""
        order, item = self._shelf.find(id_)
        if item.is_original:
            self._permit(item, operator)
        content, fault = await self._shelf.disk(self._shelf.store.read, item)
        if fault:
            self._tell_fault(order, item, fault)
            raise NotAllowed(f"{id_} is {fault}")
        return item.media_type, content

    def send(self, id_: str) -> int:
        """Send a file, also one that is sent on request only; return in how many parts. Raises KeyError, NotAllowed."""
        order, item = self._shelf.find(id_)
        if item.is_original:
            raise NotAllowed(f"{id_} shows faces and never leaves the gateway; send the {item.kind[9:] or 'snapshot'}")
        events = list(file_events(order, item, self._clock.now()))
        self._journal.record(events, ())
        return len(events)

    def request(self, camera: str, kind: str) -> str:
        """Keep what a camera sees now, and send the file of that ``kind`` (snapshot or clip); return its id.

        Raises KeyError for no camera, NotAllowed while the one before is not done.
        """
        if camera not in self._witnesses:
            raise KeyError(camera)
        waiting = [order for order, _ in self._asked]
        under_way = (order for order in self._shelf.orders.values() if order.open)
        if any(order.alarm == REQUESTED and order.camera == camera for order in (*waiting, *under_way)):
            raise NotAllowed(f"{camera} has not delivered what was asked for before; ask again when it has")
        now = self._clock.now()
        id_ = uuid7(int(now.utc.timestamp() * 1000))
        when = (now.mono_s, now.utc.isoformat(), boot_id())
        order = Order(f"{id_}.{camera}", REQUESTED, id_, camera, int(Priority.P4), "", *when)
        self._asked.append((order, kind))
        self._wake.set()
        return f"{order.id}/{kind}"

    async def verify(self) -> list[dict[str, str]]:
        """Return each file's id and what is wrong with it, against its event where the journal still has it."""
        events = await self._journal.events(10_000, None, "evidence")
        told = {event["data"]["id"]: event["data"]["sha256"] for event in events if "sha256" in event["data"]}
        result = []
        for order in list(self._shelf.orders.values()):
            for item in order.items:
                _, fault = await self._shelf.disk(self._shelf.store.read, item)
                if not fault and told.get(item.id, item.sha256) != item.sha256:
                    fault = "altered: its record is not the one in the journal"
                result.append({"id": item.id, "fault": fault})
        return result

    async def attach(self, message: bytes) -> bytes:
        """Return an event as it is sent: that of a file with the file in it, or why it is not."""
        if b'"anshao.evidence.file.v1"' not in message:
            return message
        body = decode(message)
        if body.get("type") != f"anshao.{FILE}.v1":
            return message
        try:
            order, item = self._shelf.find(body["evidenceid"])
        except KeyError:
            return encode({**body, "datafault": "missing: it was removed"})
        content, fault = await self._shelf.disk(self._shelf.store.read, item)
        if not fault and item.sha256 != body["sha256"]:
            fault = "altered: it is another file than was announced"
        if fault:
            self._tell_fault(order, item, fault)
            return encode({**body, "datafault": fault})
        return encode(with_content(body, content))

    def _permit(self, item: Item, operator: Operator | None) -> None:
        if operator is None or operator.name not in self._options.originals_for:
            raise NotAllowed(f"{item.id} shows faces; who may see it stands under 'evidence: {{originals_for: […]}}'")
        event = operator_event("original-seen", {"evidence": item.id}, operator, self._clock.now())
        self._journal.record([event], ())

    def _committed(self, entries: list[Entry]) -> None:
        """Called from the journal's thread: these are on the disk."""
        transitions = [entry.envelope() for entry in entries if b"alarm.transition" in entry.body]
        found = list(filter(_is_raised, transitions))
        self._raised.extend(found)
        if found and self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._wake.set)

    def _orders(self, event: dict[str, Any]) -> list[Order]:
        data = event["data"]
        definition = self._definitions().get(data["alarm_id"])
        cameras = wanted(definition, self._witnesses, self._health) if definition is not None else []
        when = (event["zone"], event["monons"] / 1e9, event["time"], event["bootid"])
        return [
            Order(f"{event['id']}.{camera}", data["alarm_id"], data["occurrence_id"], camera, data["priority"], *when)
            for camera in cameras
        ]

    async def _collect(self, order: Order) -> None:
        try:
            await self._shelf.begin(order)
            files = self._witnesses[order.camera].keep(order.id, str(self._shelf.store.path(order.id)), order.at_s)
            async with aclosing(files):  # type: ignore[type-var]  # every witness's is a generator
                async for file in files:
                    order = await self._take(order, file)
            await self._shelf.close(order)
        except (OSError, NotConnected) as error:
            self._lose(order, [kind for kind in _EXPECTED if not _has(order, kind)], str(error))

    async def _deliver(self, order: Order, kind: str) -> None:
        """Keep what was asked for, and send it, also where the site sends it on request only."""
        await self._collect(order)
        kept = self._shelf.orders.get(order.id)
        if kind not in self._options.send and kept is not None and _has(kept, kind):
            self.send(f"{order.id}/{kind}")

    async def _take(self, order: Order, file: EvidenceFile) -> Order:
        if file.reason:
            self._lose(order, [file.kind] if file.kind else _EXPECTED, file.reason)
            return order
        now = self._clock.now()
        taken = now.utc - timedelta(seconds=now.mono_s - file.taken_s)
        expires = self._shelf.expiry(file.kind, taken)
        found = (file.kind, file.name, file.media_type, file.octets, file.sha256, file.taken_s, taken.isoformat())
        return await self._shelf.add(order, Item(order.id, *found, expires, file.seconds, file.blurred, file.model))

    def _lose(self, order: Order, kinds: Sequence[str], reason: str) -> None:
        if kinds:
            log.warning("evidence lost", alarm=order.alarm, camera=order.camera, kinds=list(kinds), reason=reason)
            self._journal.record([loss_event(order, kinds, reason, self._clock.now())], ())

    def _tell_fault(self, order: Order, item: Item, fault: str) -> None:
        """Tell once of a file that is not what it was."""
        if item.id not in self._told:
            self._told.add(item.id)
            self._lose(order, [item.kind], fault)

    async def _tidy(self) -> None:
        while True:
            try:
                await self._shelf.tidy()
            except OSError as error:
                log.warning("evidence cannot be cleared away", reason=str(error))
            await asyncio.sleep(TIDY_EVERY_S)

    async def _recover(self) -> None:
        """Take up what an earlier process left; tell of files it had no time to tell of, and of those it never got."""
        try:
            orders = await self._shelf.disk(self._shelf.store.load)
            self._shelf.orders.update((order.id, order) for order in orders if order.id not in self._shelf.orders)
            for order in [each for each in orders if each.open]:
                await self._resume(order)
            await self._tell_unasked()
        except (OSError, sqlite3.Error) as error:
            log.error("evidence of before cannot be read", reason=str(error))

    async def _tell_unasked(self) -> None:
        """Tell of alarms of this boot whose evidence nobody asked for: the process ended right behind them."""
        alarms = await self._journal.events(_LOOK_BACK, None, "alarm")
        told = [*alarms, *await self._journal.events(10 * _LOOK_BACK, None, "evidence")]
        known = {event["data"].get("occurrence_id") for event in told if event["type"] != _TRANSITION}
        ours = {event["id"] for event in self._raised}
        for event in filter(_is_raised, alarms):
            data, is_old = event["data"], event["bootid"] != boot_id()
            if not is_old and event["id"] not in ours and data["occurrence_id"] not in known:
                for order in self._orders(event):
                    self._lose(order, _EXPECTED, _LOST)

    async def _resume(self, order: Order) -> None:
        files = await self._shelf.disk(self._shelf.store.found, order)
        hides = any(kind in ORIGINALS for kind, *_ in files)  # an original is written before what shows no face
        for kind, name, media_type, octets, digest in files:
            if not _has(order, kind):
                expires = self._shelf.expiry(kind, datetime.fromisoformat(order.at))
                found = (kind, name, media_type, octets, digest, order.at_s, order.at, expires)
                blurred = hides and kind not in ORIGINALS
                order = await self._shelf.add(order, Item(order.id, *found, blurred=blurred))
        self._lose(order, [kind for kind in _EXPECTED if not _has(order, kind)], _LOST)
        await self._shelf.close(order)


def wanted(definition: AlarmDefinition, cameras: Mapping[str, object], health: Collection[str]) -> list[str]:
    """Return the cameras whose pictures decide on an alarm, and those that its rule names.

    A point of ``health`` tells of the camera: no picture says more.
    """
    parts = [point.split(".") for point in definition.inputs]
    deciding = {device for device, *_, fact in parts if device in cameras and fact not in health}
    return sorted(deciding | {camera for camera in definition.evidence if camera in cameras})


def _is_raised(event: Mapping[str, Any]) -> bool:
    return bool(event["type"] == _TRANSITION and event["data"]["action"] == Action.RAISED)


def _has(order: Order, kind: str) -> bool:
    return any(item.kind == kind for item in order.items)
