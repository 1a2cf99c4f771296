"""What changed while nobody could be told, in a bounded ring."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable
from datetime import datetime
from typing import NamedTuple

from agent.core.model import Sample


class Dropped(NamedTuple):
    """How many changes had to go, and when the first and the last of them had come (UTC)."""

    changes: int
    first: datetime
    last: datetime

    def plus(self, other: Dropped) -> Dropped:
        """Return both together."""
        return Dropped(self.changes + other.changes, min(self.first, other.first), max(self.last, other.last))


class History:
    """By device, each in order. Beyond ``limit`` samples the oldest of the fullest device go, and are counted."""

    def __init__(self, limit: int) -> None:
        self.count = 0
        self._dropped: Dropped | None = None
        self.limit = limit
        self._kept: dict[str, deque[Sample]] = {}
        self._fresh: deque[Sample] = deque(maxlen=limit)
        """What is new since the last ``take_fresh``, also if it is told meanwhile."""

    def add(self, device: str, sample: Sample) -> None:
        """Keep a sample; with a limit of 0 nothing is kept, and nothing is missed."""
        if self.limit:
            self._fresh.append(sample)
            self._keep(device, sample)

    def _keep(self, device: str, sample: Sample) -> None:
        self._kept.setdefault(device, deque()).append(sample)
        self.count += 1
        if self.count > self.limit:
            self.count -= 1
            self.drop(max(self._kept.values(), key=len).popleft())

    def drop(self, sample: Sample) -> None:
        """Count a sample that nobody will be told."""
        self.count_dropped(Dropped(1, sample.received_at, sample.received_at))

    def count_dropped(self, lost: Dropped) -> None:
        """Count samples that nobody will be told, or that may not have arrived."""
        if self.limit:
            self._dropped = lost if self._dropped is None else self._dropped.plus(lost)

    def take_dropped(self) -> Dropped | None:
        """Return what was dropped since the last call, None if nothing was."""
        found, self._dropped = self._dropped, None
        return found

    def put_back(self, device: str, samples: Iterable[Sample]) -> None:
        """Keep samples that were sent and that may not have arrived, each where its time puts it."""
        if not self.limit:
            return
        newer, samples = self._kept.pop(device, deque()), list(samples)
        self.count -= len(newer)
        self._fresh.extend(samples)
        for sample in sorted([*samples, *newer], key=lambda each: each.received_s):
            self._keep(device, sample)

    def take(self, devices: Collection[str], most: int) -> dict[str, list[Sample]]:
        """Return up to ``most`` of the oldest samples of these devices, and forget them."""
        found: dict[str, list[Sample]] = {}
        for device in [name for name in self._kept if name in devices]:
            kept = self._kept[device]
            found[device] = [kept.popleft() for _ in range(min(most, len(kept)))]
            most -= len(found[device])
            self.count -= len(found[device])
            if not kept:
                del self._kept[device]
        return {device: samples for device, samples in found.items() if samples}

    def take_fresh(self) -> list[Sample]:
        """Return what was kept since the last call."""
        found = list(self._fresh)
        self._fresh.clear()
        return found

    def whole(self) -> list[Sample]:
        """Return all that is kept; of a device in order."""
        return [sample for kept in self._kept.values() for sample in kept]

    def give_up(self) -> None:
        """Count all that is kept as dropped: nobody will be told any more."""
        for kept in self._kept.values():
            for sample in kept:
                self.drop(sample)
        self._kept.clear()
        self.count = 0
