"""Keeps the journal within its room: old events go, full lanes lose their own oldest, and every loss is told."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from agent.core.model import Lane
from agent.journal.autonomy import LONGEST_H, Autonomy
from agent.journal.options import JournalOptions
from agent.journal.removal import Removed
from agent.journal.store import Store

Tell = Callable[[str, int, str, Mapping[str, object]], None]
"""Scope, count, reason and details of a loss."""
_ROUNDS = 20
_SPARED = (Lane.ALARM, Lane.STATE)
"""Not even a full disk takes what was not sent of these."""


class Keeper:
    """Belongs to one journal; works in its thread."""

    def __init__(self, options: JournalOptions, tell: Tell) -> None:
        self._options = options
        self._tell = tell
        self._pace: dict[str, Autonomy] = {str(lane): Autonomy() for lane in Lane}

    def count(self, sizes: Mapping[str, int], now_s: float) -> None:
        """Learn how fast each lane grows: by so many bytes now."""
        for lane, size in sizes.items():
            if size:
                self._pace[lane].add(size, now_s)

    def keep(self, store: Store) -> None:
        """Delete what was sent long ago, and what a lane has too much of."""
        store.prune(self._options.keep)
        for lane, mark in store.lanes.items():
            for _ in range(_ROUNDS):
                if mark.bytes <= self._options.limit_bytes(lane):
                    break
                if not self._shrink(store, lane, "the lane's share of the journal is full"):
                    break

    def make_room(self, store: Store) -> None:
        """On a full disk: delete sent events, the least important lane's first; then what may be lost unsent."""
        store.empty_log()
        lanes = [str(lane) for lane in reversed(Lane)]
        if any(self._shrink_sent(store, lane, "the disk is full") for lane in lanes):
            return
        for lane in lanes:
            if lane not in _SPARED and self._shrink(store, lane, "the disk is full"):
                return

    def hours(self, store: Store, now_s: float) -> float:
        """Return for how many hours every lane can take in what comes, at the pace of the last hour, unsent."""
        return min((self._lane_hours(store, lane, now_s) for lane in store.lanes), default=LONGEST_H)

    def _lane_hours(self, store: Store, lane: str, now_s: float) -> float:
        mark = store.lanes[lane]
        kept = max(1, mark.last - mark.done + 1)
        waiting = min(mark.bytes, mark.bytes * mark.waiting / kept) if mark.waiting else 0.0
        return self._pace[lane].hours(self._options.limit_bytes(lane) - waiting, now_s)

    def _shrink(self, store: Store, lane: str, reason: str) -> int:
        """Delete some of a lane: sent ones, or else unsent ones, which is a loss. Returns how many went."""
        sent = self._shrink_sent(store, lane, reason)
        if sent:
            return sent
        lost = store.shrink(lane, sent=False)
        if lost.count:
            self._tell("spool", lost.count, reason, _details(lane, lost))
        return lost.count

    def _shrink_sent(self, store: Store, lane: str, reason: str) -> int:
        """Delete some that were sent; that the centre has not said that it has them is told, as of a loss."""
        sent, stored = store.shrink(lane, sent=True), store.lanes[lane].stored
        if store.confirms and sent.last > stored:
            first = max(sent.first, stored + 1)
            where = {"lane": lane, "first": first, "last": sent.last}
            count = min(sent.count, sent.last - first + 1)
            self._tell("spool", count, f"{reason}; they were sent, but the centre had not said that it has them", where)
        return sent.count


def _details(lane: str, lost: Removed) -> dict[str, Any]:
    return {"lane": lane, "first": lost.first, "last": lost.last}
