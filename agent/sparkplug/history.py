"""What changed while nobody could be told, in a bounded ring."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection
from itertools import chain

from agent.core.model import Sample


class History:
    """By device, each in order. Beyond ``limit`` samples the oldest of the fullest device go, and are counted."""

    def __init__(self, limit: int) -> None:
        self.dropped = 0
        self.count = 0
        self._limit = limit
        self._kept: dict[str, deque[Sample]] = {}

    def add(self, device: str, sample: Sample) -> None:
        """Keep a sample."""
        self._kept.setdefault(device, deque()).append(sample)
        self.count += 1
        if self.count > self._limit:
            max(self._kept.values(), key=len).popleft()
            self.count -= 1
            self.dropped += 1

    def put_back(self, device: str, samples: Collection[Sample]) -> None:
        """Keep samples that are older than those kept, and that may not have arrived."""
        newer = self._kept.pop(device, deque())
        self.count -= len(newer)
        for sample in chain(samples, newer):
            self.add(device, sample)

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
