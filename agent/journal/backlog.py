"""What was recorded and is not on the disk yet. Any thread may add; the journal's thread takes."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import NamedTuple

from agent.core.model import Alarm, EventDraft, Lane
from agent.journal.appending import Composed

MOST_IN_MEMORY = 20_000
"""Events that are kept in memory while the disk fails; then the least important lane loses its oldest, and says so."""
_MOST_IN_ONE = 500

Loss = Callable[[str, int, str, Mapping[str, object]], EventDraft]
"""Makes a loss event of scope, count, reason and details."""


@dataclass(frozen=True)
class Batch:
    """What goes into one transaction: ``drafts`` are a loss event for each of ``losses``, then what was ``taken``."""

    drafts: list[EventDraft]
    taken: list[tuple[EventDraft, str]]
    alarms: Mapping[str, Alarm]
    losses: Mapping[Lane, int]


class Attempt(NamedTuple):
    """A batch, and what of it is written in one transaction."""

    batch: Batch
    composed: Composed


class Backlog:
    """Events in their order, each with the rules it happened under, and the newest state of each alarm."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._events: deque[tuple[EventDraft, str]] = deque()
        self._alarms: dict[str, Alarm] = {}
        self._lost: dict[Lane, int] = {}

    def __len__(self) -> int:
        """Return the number of events."""
        return len(self._events)

    def __bool__(self) -> bool:
        """Tell whether anything waits; an alarm's state may do so without an event."""
        return bool(self._events or self._alarms)

    def add(self, events: Sequence[EventDraft], alarms: Sequence[Alarm], revision: str) -> None:
        """Take events and alarm states; when there are too many, some are dropped and counted."""
        with self._lock:
            self._events.extend([(event, revision) for event in events])
            self._alarms.update((alarm.id, alarm) for alarm in alarms)
            while len(self._events) > MOST_IN_MEMORY:
                self._drop_one()

    def next(self, loss: Loss) -> Batch:
        """Return what to write next; it stays here until it was ``written``."""
        with self._lock:
            taken = list(islice(self._events, _MOST_IN_ONE))
            alarms, losses = dict(self._alarms), dict(self._lost)
        lost = [loss("memory", count, "the disk failed", {"lane": lane}) for lane, count in losses.items()]
        return Batch([*lost, *(_stamped(draft, revision) for draft, revision in taken)], taken, alarms, losses)

    def behind(self, batch: Batch, count: int) -> Batch:
        """Return what comes behind the first ``count`` drafts of a batch that is being written."""
        with self._lock:
            first = self._standing(batch, count)
            taken = list(islice(self._events, first, first + _MOST_IN_ONE))
            alarms = {id_: alarm for id_, alarm in self._alarms.items() if batch.alarms.get(id_) is not alarm}
        return Batch([_stamped(draft, revision) for draft, revision in taken], taken, alarms, {})

    def written(self, batch: Batch, count: int) -> None:
        """Forget the first ``count`` drafts of a batch, and its alarms unless they changed meanwhile."""
        with self._lock:
            for _ in range(self._standing(batch, count)):
                self._events.popleft()
            self._alarms = {id_: alarm for id_, alarm in self._alarms.items() if batch.alarms.get(id_) is not alarm}
            told = dict(islice(batch.losses.items(), count))
            left = {lane: lost - told.get(lane, 0) for lane, lost in self._lost.items()}
            self._lost = {lane: lost for lane, lost in left.items() if lost}

    def _standing(self, batch: Batch, count: int) -> int:
        """Return how many of the first ``count`` drafts still stand here, in front: some may have been dropped."""
        standing, events = 0, iter(self._events)
        front = next(events, None)
        for item in batch.taken[: max(0, count - len(batch.losses))]:
            if front is item:
                standing, front = standing + 1, next(events, None)
        return standing

    def _drop_one(self) -> None:
        """Drop the oldest event of the least important lane that has any; alarms last."""
        for lane in reversed(Lane):
            index = next((at for at, (draft, _) in enumerate(self._events) if draft.lane is lane), None)
            if index is not None:
                del self._events[index]
                self._lost[lane] = self._lost.get(lane, 0) + 1
                return


def _stamped(draft: EventDraft, revision: str) -> EventDraft:
    """Return the event with the rules that it happened under."""
    return draft if draft.rules_revision or not revision else replace(draft, rules_revision=revision)
