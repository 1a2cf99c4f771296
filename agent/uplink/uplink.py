"""Drains the outbox to a broker, for ever: alarms first, in order within each lane, at least once."""

from __future__ import annotations

import asyncio
import sqlite3
import uuid
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime

import structlog

from agent.backoff import delays
from agent.core.model import Lane
from agent.core.ports import Clock
from agent.journal import Identity, Journal, Row
from agent.uplink.link import Ack, Link, LinkLost
from agent.uplink.options import UplinkOptions

log = structlog.get_logger(__name__)

NO_SUBSCRIBERS = 0x10
POISON = (0x90, 0x95, 0x99)
"""Topic name invalid, packet too large, payload format invalid: the same bytes will not do better later."""
POISON_TRIES = 5
POISON_PAUSE_S = 1.0
ANSWER_LIMIT_S = 30.0
"""A broker that keeps the line but acknowledges nothing for so long is left."""
LONGEST_WAIT_S = 5.0
"""Between two attempts to connect: a broker that is back is found soon, and one attempt costs little."""
_FETCH = 100
Attach = Callable[[bytes], Awaitable[bytes]]
"""Returns an event of the evidence lane as it is sent: with the file that it stands for."""


@dataclass(frozen=True)
class UplinkStatus:
    """``reason`` tells why it is offline, or why it waits while online. ``since`` is UTC."""

    online: bool
    since: datetime
    broker: str = ""
    reason: str = ""
    sent: int = 0
    in_flight: int = 0
    nobody_listens: bool = False


@dataclass
class _Flight:
    """What is on its way on one connection. ``live_after`` divides replayed events from live ones.

    ``taken`` were acknowledged and wait to be marked as sent; ``marking`` is the write that marks those
    before them. Sending goes on meanwhile: what a crash then sends twice is what one write covers.
    """

    link: Link
    window: int
    live_after: int
    rows: dict[int, Row] = field(default_factory=dict)
    queue: deque[Row] = field(default_factory=deque)
    waits: Iterator[float] = field(default_factory=lambda: delays(1.0, 60.0))
    taken: list[Row] = field(default_factory=list)
    marked: list[Row] = field(default_factory=list)
    marking: asyncio.Task[None] | None = None
    resume_s: float = 0.0
    answered_s: float = 0.0
    paced_s: float = 0.0
    fetched_to: int = 0
    loaded: dict[int, bytes] = field(default_factory=dict)
    """By ``seq``: a row of evidence as it is sent, with its file."""


class Uplink:
    """Sends what the journal holds. A broker that is away, slow, full or unwilling delays nothing else."""

    def __init__(
        self, options: UplinkOptions, journal: Journal, who: Identity, clock: Clock, attach: Attach | None = None
    ) -> None:
        self.status = UplinkStatus(False, clock.now().utc)
        self.topic = options.topic.format(site=who.site, gateway=who.gateway, area=who.area)
        self._client_id = options.client_id or f"anshao-{who.gateway}"
        self._session = str(uuid.uuid4())
        self._options = options
        self._journal = journal
        self._clock = clock
        self._link: Link | None = None
        self._attach = attach

    async def run(self) -> None:
        """Connect and drain until cancelled."""
        loop = asyncio.get_running_loop()
        self._journal.on_commit.append(lambda _: _later(loop, self._nudge))
        waits = delays(0.5, LONGEST_WAIT_S)
        while True:
            for broker in self._options.brokers:
                was_online = await self._try(broker)
                if was_online:
                    waits = delays(0.5, LONGEST_WAIT_S)
                    break
            await asyncio.sleep(next(waits))

    async def _try(self, broker: str) -> bool:
        """Use one broker for as long as it lasts; tell whether it ever answered."""
        try:
            link = Link(broker, self._options, self._client_id, self.topic, self._session)
        except (OSError, ValueError) as error:  # a password or certificate that cannot be read
            self._offline(broker, str(error))
            return False
        online, self._link = False, link
        try:
            await link.open()
            online = True
            await self._drain(link)
        except LinkLost as error:
            self._offline(broker, str(error))
        except asyncio.CancelledError:
            await link.close(farewell=online)
            raise
        await link.close(farewell=False)
        return online

    async def _drain(self, link: Link) -> None:
        self._online(link.broker)
        window = min(self._options.window, link.receive_maximum)
        flight = _Flight(link, window, self._journal.last_seq, answered_s=self._now_s())
        try:
            while True:
                await self._turn(flight)
        finally:
            await self._finish(flight)

    async def _turn(self, flight: _Flight) -> None:
        try:
            await self._refill(flight)
            await self._load(flight)
            self._launch(flight)
            await self._land(flight)
            self._mark(flight)
        except sqlite3.Error:
            await asyncio.sleep(1.0)  # the journal tells of it itself; the rows stay where they are

    async def _refill(self, flight: _Flight) -> None:
        if self._now_s() < flight.resume_s or (flight.queue and not self._may_overtake(flight)):
            return
        flight.fetched_to = self._journal.last_seq
        flight.queue.clear()
        away = {row.seq for row in flight.rows.values()} | {row.seq for row in (*flight.taken, *flight.marked)}
        rows = await self._journal.pending(_FETCH + len(away))
        flight.queue.extend(row for row in rows if row.seq not in away)

    def _may_overtake(self, flight: _Flight) -> bool:
        """Tell whether something may have been journalled that goes before what waits: files take long."""
        return flight.queue[0].lane == Lane.EVIDENCE and self._journal.last_seq != flight.fetched_to

    async def _load(self, flight: _Flight) -> None:
        """Read the file that the next row carries, if it does, so that launching waits for no disk."""
        row = flight.queue[0] if flight.queue else None
        if row is not None and row.lane == Lane.EVIDENCE and row.seq not in flight.loaded:
            flight.loaded = {row.seq: await self._attach(row.body) if self._attach is not None else row.body}

    def _launch(self, flight: _Flight) -> None:
        while flight.queue and len(flight.rows) < flight.window and self._now_s() >= flight.resume_s:
            row = flight.queue[0]
            replayed = row.seq <= flight.live_after or row.attempts > 0
            if row.lane == Lane.EVIDENCE and not _may_carry(flight, row):
                break
            if replayed and row.lane != Lane.ALARM and not self._may_replay(flight):
                break
            flight.queue.popleft()
            if not flight.rows:
                flight.answered_s = self._now_s()
            mid = flight.link.publish(
                f"{self.topic}/evt/{row.lane}", flight.loaded.get(row.seq, row.body), self._beside(row, replayed)
            )
            flight.rows[mid] = row
        self.status = replace(self.status, in_flight=len(flight.rows))

    def _may_replay(self, flight: _Flight) -> bool:
        now_s = self._now_s()
        if now_s < flight.paced_s:
            return False
        flight.paced_s = max(flight.paced_s, now_s - 0.1) + 1.0 / self._options.replay_rate
        return True

    async def _land(self, flight: _Flight) -> None:
        """Wait for answers, or for something to do; then account for them."""
        acks = await flight.link.acks(0.02 if flight.queue else 0.25)
        if acks:
            flight.answered_s = self._now_s()
        elif flight.rows and self._now_s() - flight.answered_s > ANSWER_LIMIT_S:
            raise LinkLost(f"{flight.link.broker}: no acknowledgement for {ANSWER_LIMIT_S:g} s")
        taken = [row for ack in acks if ack.code == 0 and (row := flight.rows.pop(ack.mid, None))]
        if taken:
            flight.taken.extend(taken)
            flight.waits = delays(1.0, 60.0)
            self.status = replace(self.status, sent=self.status.sent + len(taken), reason="", nobody_listens=False)
        for ack in acks:
            if ack.code != 0 and ack.mid in flight.rows:
                await self._refused(flight, ack, flight.rows.pop(ack.mid))

    def _mark(self, flight: _Flight) -> None:
        """Begin the next write of what was sent, once the one before is done. Raises what that one raised."""
        if flight.marking is not None and flight.marking.done():
            done, flight.marking, flight.marked = flight.marking, None, []
            done.result()
        if flight.marking is None and flight.taken:
            flight.marked, flight.taken = flight.taken, []
            flight.marking = asyncio.create_task(self._journal.mark_sent(flight.marked), name="uplink mark")

    async def _finish(self, flight: _Flight) -> None:
        """Mark what was acknowledged before the link was lost; what fails now is only sent twice."""
        with suppress(sqlite3.Error):
            if flight.marking is not None:
                await flight.marking
            if flight.taken:
                await self._journal.mark_sent(flight.taken)

    async def _refused(self, flight: _Flight, ack: Ack, row: Row) -> None:
        """The broker has the event not: it stays in the outbox, and sending pauses so that order is kept."""
        flight.queue.clear()
        pause_s = next(flight.waits) if ack.code not in POISON else POISON_PAUSE_S
        flight.resume_s = max(flight.resume_s, self._now_s() + pause_s)
        reason = (
            "nobody subscribes to our topic" if ack.code == NO_SUBSCRIBERS else f"the broker answers 0x{ack.code:02x}"
        )
        if reason != self.status.reason:
            log.warning("uplink refused", broker=flight.link.broker, reason=reason)
        self.status = replace(self.status, reason=reason, nobody_listens=ack.code == NO_SUBSCRIBERS)
        tries = await self._journal.mark_failed(row.seq)
        if ack.code in POISON and tries >= POISON_TRIES:
            await self._journal.quarantine(row, f"refused {tries} times: 0x{ack.code:02x}")

    def _nudge(self) -> None:
        if self._link is not None:
            self._link.nudge()

    def _beside(self, row: Row, replayed: bool) -> list[tuple[str, str]]:
        age_s = max(0.0, self._clock.now().utc.timestamp() - row.wall_ns / 1e9)
        flag = "true" if replayed else "false"
        return [("replayed", flag), ("age_s", f"{age_s:.3f}"), ("attempt", str(row.attempts + 1))]

    def _now_s(self) -> float:
        return self._clock.now().mono_s

    def _online(self, broker: str) -> None:
        log.info("uplink online", broker=broker)
        self.status = replace(self.status, online=True, since=self._clock.now().utc, broker=broker, reason="")

    def _offline(self, broker: str, reason: str) -> None:
        if self.status.online or not self.status.reason:
            log.warning("uplink offline", broker=broker, reason=reason)
            self.status = replace(self.status, since=self._clock.now().utc)
        self.status = replace(self.status, online=False, reason=reason, in_flight=0)


def _may_carry(flight: _Flight, row: Row) -> bool:
    """Tell whether a row of evidence is read, and no other is on its way: an alarm waits for one at most."""
    return row.seq in flight.loaded and not any(each.lane == Lane.EVIDENCE for each in flight.rows.values())


def _later(loop: asyncio.AbstractEventLoop, callback: Callable[[], None]) -> None:
    if not loop.is_closed():
        loop.call_soon_threadsafe(callback)
