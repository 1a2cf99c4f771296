"""Points that are polled alike, and whose slot comes next. No I/O; time is an argument."""

from __future__ import annotations

import math
import zlib
from collections.abc import Collection, Iterable

from agent.core.model import Instant, Sample
from drivers.modbus.plan import Block, Limits, Span
from drivers.modbus.schedule import Answer, Schedule, Search

_IDLE_S = 1.0
"""A device without points is looked after that often."""


class Group:
    """One period and its blocks. The first poll is at once; the slots after it are spread by ``phase`` (0 to 1)."""

    def __init__(self, period_s: float, phase: float, spans: Iterable[Span], limits: Limits, now_s: float) -> None:
        self.period_s = period_s
        self.next_s = now_s
        self.search = Search()
        self._phase_s = phase * period_s
        self._schedule = Schedule(spans, limits)
        self._left: list[Block] = []
        self._answers: list[Answer] = []
        self._is_open = False

    @property
    def is_open(self) -> bool:
        """Whether a poll was begun and not finished."""
        return self._is_open

    def begin(self, now: Instant) -> list[Sample]:
        """Begin a poll, or go on with one; return what is known without asking: addresses that are left out."""
        if self._is_open:
            return []
        self._is_open, self.search, self._answers = True, Search(), []
        probes = self._schedule.probes(now.mono_s)
        self._left = [*self._schedule.blocks, *probes]
        barred = self._schedule.barred
        return [Sample.bad(span.point, each.reason, now) for each in barred for span in each.block.spans]

    def next_block(self) -> Block | None:
        """Return the next block to read, None when all are."""
        return self._left.pop(0) if self._left else None

    def took(self, answers: Collection[Answer]) -> None:
        """Keep what became of a block."""
        self._answers += answers

    def finish(self, now_s: float) -> None:
        """All blocks are read: learn from the answers, and set the next slot; slots that were missed are skipped."""
        self._is_open = False
        self._schedule.settle(self._answers, now_s)
        slots = math.floor((now_s - self._phase_s) / self.period_s) + 1
        self.next_s = slots * self.period_s + self._phase_s


class Groups:
    """All groups of one session."""

    def __init__(self, groups: Collection[Group]) -> None:
        self._groups = sorted(groups, key=lambda group: group.period_s)
        self._last: Group | None = None

    def next(self, now_s: float) -> tuple[Group, float]:
        """Return the group to read next, and how long to wait for its slot: the most frequent of those due.

        One that is due again although it was read just now lets the latest of the others go before it:
        where time does not suffice for all, none is left out.
        """
        due = [group for group in self._groups if group.is_open or group.next_s <= now_s]
        if len(due) > 1 and due[0] is self._last:
            del due[0]
            due.sort(key=lambda group: group.next_s)
        group = self._last = due[0] if due else min(self._groups, key=lambda group: group.next_s)
        return group, 0.0 if group.is_open else max(group.next_s - now_s, 0.0)

    def is_preempted(self, group: Group, now_s: float) -> bool:
        """Tell whether a more frequent group is due."""
        return any(other.next_s <= now_s for other in self._groups if other.period_s < group.period_s)


def make_groups(device: str, spans: Iterable[tuple[float, Span]], limits: Limits, now_s: float) -> Groups:
    """Group spans by their periods (seconds). Devices and groups are spread over their periods by their names."""
    by_period: dict[float, list[Span]] = {}
    spans = list(spans)
    if not spans:
        by_period[_IDLE_S] = []
    for period_s, span in spans:
        by_period.setdefault(period_s, []).append(span)
    return Groups([Group(period, _phase(device, period), each, limits, now_s) for period, each in by_period.items()])


def _phase(device: str, period_s: float) -> float:
    return zlib.crc32(f"{device}/{period_s:g}".encode()) / 2**32
