"""Drains the outbox over one connection: alarms first, in order within each lane, at least once."""

from __future__ import annotations

import asyncio
import sqlite3
from collections import Counter, deque
from collections.abc import Awaitable, Callable
from contextlib import suppress

import structlog

from agent.backoff import delays
from agent.core.model import Lane
from agent.core.ports import Clock
from agent.journal import Journal, Row
from agent.links.arrivals import LinkLost
from agent.uplink.link import Ack, Link
from agent.uplink.mapping import MappingOptions, Outgoing, messages

log = structlog.get_logger(__name__)

NO_SUBSCRIBERS = 0x10
POISON = (0x90, 0x95, 0x99)
"""Topic name invalid, packet too large, payload format invalid: the same bytes will not do better later."""
POISON_TRIES = 5
POISON_PAUSE_S = 1.0
ANSWER_LIMIT_S = 30.0
"""Another end that keeps the line but acknowledges nothing for so long is left."""
_FETCH = 200
_MOST_UNMARKED = 50
"""Acknowledged, and not marked as sent in the journal yet. They are noted: a power cut may send them twice, no kill."""
_MARK_S = 0.01
"""So long acknowledged rows may wait for others to be marked with."""
Attach = Callable[[bytes], Awaitable[bytes]]
"""Returns an event of the evidence lane as it is sent: with the file that it stands for."""
Note = Callable[..., None]
"""Takes fields of ``UplinkStatus`` that changed."""


class Flight:
    """What is on its way on one connection, and what goes next. A disk that fails now delays, and loses nothing."""

    def __init__(
        self, link: Link, window: int, replay_rate: int, topic: str, journal: Journal, clock: Clock, note: Note
    ) -> None:
        self.leaving = False
        """Nothing more is sent: the connection is given up once everything is answered."""
        self.is_mute = False
        """Something was sent, and nothing was ever answered."""
        self._link, self._topic, self._journal, self._clock, self._note = link, topic, journal, clock, note
        self._window = min(window, link.receive_maximum)
        self._replay_rate = replay_rate
        self._attach: Attach | None = None
        self._mapping: MappingOptions | None = None
        self._open: Counter[int] = Counter()
        """By ``seq``: how many messages of a row are on their way."""
        self._live_after = journal.last_seq
        """Divides replayed events from live ones."""
        self._rows: dict[int, Row] = {}
        self._queue: deque[Row] = deque()
        self._waits = delays(1.0, 60.0)
        self._taken: list[Row] = []
        """Acknowledged and noted; they wait to be marked as sent while ``_marking`` writes that of ``_marked``."""
        self._marked: list[Row] = []
        self._marking: asyncio.Task[None] | None = None
        self._resume_s = self._paced_s = self._taken_s = 0.0
        self._answered_s = self._now_s()
        self._has_answered = False
        self._fetched_to = 0
        self._loaded: dict[int, bytes] = {}
        """By ``seq``: a row of evidence as it is sent, with its file."""

    def carry(self, attach: Attach | None, mapping: MappingOptions | None = None) -> None:
        """Let ``attach`` put files into events of evidence, and ``mapping`` say in which words events go."""
        self._attach, self._mapping = attach, mapping

    @property
    def is_empty(self) -> bool:
        """Tell whether everything that was sent is answered."""
        return not self._rows

    async def turn(self) -> None:
        """Send what may go now, and account for what was answered. Raises LinkLost."""
        try:
            if not self.leaving:
                await self._refill()
                await self._load()
                self._launch()
            self._mark()
            await self._land()
        except sqlite3.Error:
            await asyncio.sleep(1.0)  # the journal tells of it itself; the rows stay where they are

    async def finish(self) -> None:
        """Mark what was acknowledged before the link was lost; what fails now is only sent twice."""
        with suppress(sqlite3.Error):
            if self._marking is not None:
                await self._marking
            if self._taken:
                await self._journal.mark_sent(self._taken)

    async def _refill(self) -> None:
        if self._now_s() < self._resume_s or (self._queue and not self._may_overtake()):
            return
        self._fetched_to = self._journal.last_seq
        self._queue.clear()
        away = {row.seq for row in self._rows.values()} | {row.seq for row in (*self._taken, *self._marked)}
        rows = await self._journal.pending(_FETCH + len(away))
        self._queue.extend(row for row in rows if row.seq not in away)

    def _may_overtake(self) -> bool:
        """Tell whether something may have been journalled that goes before what waits: that takes long.

        Files do, and so does what is held back by the rate of a replay.
        """
        row = self._queue[0]
        is_slow = row.lane == Lane.EVIDENCE or row.again or self._now_s() < self._paced_s
        return is_slow and self._journal.last_seq != self._fetched_to

    async def _load(self) -> None:
        """Read the file that the next row carries, if it does, so that launching waits for no disk."""
        row = self._queue[0] if self._queue else None
        if row is not None and row.lane == Lane.EVIDENCE and row.seq not in self._loaded:
            self._loaded = {row.seq: await self._attach(row.body) if self._attach is not None else row.body}

    def _launch(self) -> None:
        while self._queue and self._has_room() and self._now_s() >= self._resume_s:
            row = self._queue[0]
            replayed = row.again or row.seq <= self._live_after or row.attempts > 0
            if row.lane == Lane.EVIDENCE and not self._may_carry(row):
                break
            if replayed and (row.again or row.lane != Lane.ALARM) and not self._may_replay():
                break
            self._queue.popleft()
            if not self._rows:
                self._answered_s = self._now_s()
            self._publish(row, replayed)
        self._note(in_flight=len(self._rows))

    def _has_room(self) -> bool:
        return len(self._rows) < self._window and len(self._taken) + len(self._marked) < _MOST_UNMARKED

    def _publish(self, row: Row, replayed: bool) -> None:
        """Send the messages of a row; one that has none counts as sent."""
        found = self._messages(row)
        for message in found:
            mid = self._link.publish(message.topic, message.body, self._beside(row, replayed), message.retain)
            self._rows[mid] = row
            self.is_mute = self.is_mute or not self._has_answered
        if found:
            self._open[row.seq] = len(found)
        else:
            self._taken.append(row)

    def _messages(self, row: Row) -> list[Outgoing]:
        body = self._loaded.get(row.seq, row.body)
        if self._mapping is None:
            return [Outgoing(f"{self._topic}/evt/{row.lane}", body)]
        return messages(self._mapping, body, self._topic)

    def _arrived(self, ack: Ack) -> Row | None:
        """Take note of an answer; return the row, if it was the last one that was missing of it."""
        row = self._rows.pop(ack.mid, None)
        if row is None:
            return None
        self._open[row.seq] -= 1
        if self._open[row.seq] > 0:
            return None
        del self._open[row.seq]
        return row

    def _may_carry(self, row: Row) -> bool:
        """Tell whether a row of evidence is read, and no other is on its way: an alarm waits for one at most."""
        return row.seq in self._loaded and not any(each.lane == Lane.EVIDENCE for each in self._rows.values())

    def _may_replay(self) -> bool:
        now_s = self._now_s()
        if now_s < self._paced_s:
            return False
        self._paced_s = max(self._paced_s, now_s - 0.1) + 1.0 / self._replay_rate
        return True

    async def _land(self) -> None:
        """Wait for answers, or for something to do; then account for them."""
        idle_s = _MARK_S if self._queue or self._taken else 0.25
        acks = await self._link.acks(idle_s)
        if acks:
            self._answered_s = self._now_s()
        if any(ack.mid in self._rows for ack in acks):  # and not only what was said when we came
            self._has_answered, self.is_mute = True, False
        elif self._rows and not acks and self._now_s() - self._answered_s > ANSWER_LIMIT_S:
            raise LinkLost(f"{self._link.name}: no acknowledgement for {ANSWER_LIMIT_S:g} s")
        taken = [row for ack in acks if ack.code == 0 and (row := self._arrived(ack))]
        if taken:
            self._journal.note_sent(taken)
            self._taken_s = self._taken_s if self._taken else self._now_s()
            self._taken.extend(taken)
            self._waits = delays(1.0, 60.0)
            self._note(more_sent=len(taken), reason="", nobody_listens=False)
        for ack in acks:
            if ack.code != 0 and ack.mid in self._rows:
                await self._refused(ack, self._rows[ack.mid])

    def _mark(self) -> None:
        """Begin the next write of what was sent, once the one before is done. Raises what that one raised."""
        if self._marking is not None and self._marking.done():
            done, self._marking, self._marked = self._marking, None, []
            done.result()
        if self._marking is None and self._taken and self._is_time_to_mark():
            self._marked, self._taken = self._taken, []
            self._marking = asyncio.create_task(self._journal.mark_sent(self._marked), name="uplink mark")
            self._marking.add_done_callback(lambda _: self._link.nudge())

    def _is_time_to_mark(self) -> bool:
        """Tell whether what was acknowledged is written now: many rows in one write, and none much later."""
        return not self._queue or len(self._taken) >= _MOST_UNMARKED // 2 or self._now_s() - self._taken_s >= _MARK_S

    async def _refused(self, ack: Ack, row: Row) -> None:
        """The other end has the event not: it stays in the outbox, and sending pauses so that order is kept."""
        self._queue.clear()
        self._rows = {mid: each for mid, each in self._rows.items() if each is not row}
        del self._open[row.seq]
        pause_s = next(self._waits) if ack.code not in POISON else POISON_PAUSE_S
        self._resume_s = max(self._resume_s, self._now_s() + pause_s)
        plain = "nobody subscribes to our topic" if ack.code == NO_SUBSCRIBERS else ""
        reason = ack.reason or plain or f"the broker answers 0x{ack.code:02x}"
        self._note(reason=reason, nobody_listens=ack.code == NO_SUBSCRIBERS)
        tries = await self._journal.mark_failed(row.seq)
        if ack.code in POISON and tries >= POISON_TRIES:
            await self._journal.quarantine(row, f"refused {tries} times: {ack.reason or f'0x{ack.code:02x}'}")

    def _beside(self, row: Row, replayed: bool) -> list[tuple[str, str]]:
        age_s = max(0.0, self._clock.now().utc.timestamp() - row.wall_ns / 1e9)
        flag = "true" if replayed else "false"
        return [("replayed", flag), ("age_s", f"{age_s:.3f}"), ("attempt", str(row.attempts + 1))]

    def _now_s(self) -> float:
        return self._clock.now().mono_s
