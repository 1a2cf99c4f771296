"""What was told lately: if the connection breaks, nobody knows whether it arrived."""

from __future__ import annotations

from collections import deque

from agent.core.model import Sample
from agent.sparkplug.history import Dropped


class Doubt:
    """The last ``limit`` samples that were told within ``seconds``, and how many more there were."""

    def __init__(self, limit: int, seconds: float) -> None:
        self._limit, self._seconds = limit, seconds
        self._sent: deque[tuple[float, str, Sample]] = deque()
        self._forgotten: deque[tuple[float, Dropped]] = deque()
        """By second in which they were told: those that there was no room for."""

    def add(self, device: str, sample: Sample, now_s: float) -> None:
        """Take note that a sample is told now."""
        if not self._limit:
            return
        self._sent.append((now_s, device, sample))
        if len(self._sent) > self._limit:
            at_s, _, oldest = self._sent.popleft()
            self._forget(at_s, oldest, now_s)

    def take(self, now_s: float) -> tuple[dict[str, list[Sample]], list[Dropped]]:
        """Return by device what may not have arrived, and what else may not; from now on nothing is in doubt."""
        samples: dict[str, list[Sample]] = {}
        for at_s, device, sample in self._sent:
            if now_s - at_s <= self._seconds:
                samples.setdefault(device, []).append(sample)
        forgotten = [dropped for at_s, dropped in self._forgotten if now_s - at_s <= self._seconds]
        self._sent.clear()
        self._forgotten.clear()
        return samples, forgotten

    def _forget(self, at_s: float, sample: Sample, now_s: float) -> None:
        while self._forgotten and now_s - self._forgotten[0][0] > self._seconds:
            self._forgotten.popleft()
        if now_s - at_s > self._seconds:
            return
        one = Dropped(1, sample.received_at, sample.received_at)
        if self._forgotten and at_s - self._forgotten[-1][0] < 1.0:
            begun_s, before = self._forgotten[-1]
            self._forgotten[-1] = begun_s, before.plus(one)
        else:
            self._forgotten.append((at_s, one))
