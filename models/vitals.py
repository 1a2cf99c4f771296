"""How a camera's model in use fares, counted from its worker's reports. Pure."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field
from statistics import median

from models.wire import Report

_MINUTES = 30
"""What is compared with another model: longer ago there was another shift, or another light."""


@dataclass
class Tally:
    """What was seen in ``pictures``. ``came`` counts by fact, and somebody who stays counts once."""

    pictures: int = 0
    came: Counter[str] = field(default_factory=Counter)


@dataclass
class Vitals:
    """``judged`` pictures since the model began; ``faults`` are those without a sound answer."""

    starts: int = 0
    failed_starts: int = 0
    judged: int = 0
    faults: int = 0
    took_ms: deque[float] = field(default_factory=lambda: deque(maxlen=200))
    _minutes: deque[tuple[int, Tally]] = field(default_factory=lambda: deque(maxlen=_MINUTES))
    _last: dict[str, float] = field(default_factory=dict)

    def note(self, report: Report) -> None:
        """Count a report in; a blind camera says nothing of its model."""
        self.faults += report.model_fault
        if report.whole is not None:
            self.judged += 1
            self._note_time(report.took_ms)
        if report.whole is not None and report.counts:
            self._count(report.whole, int(report.taken_s // 60))

    def _note_time(self, took_ms: float) -> None:
        if took_ms:  # a picture that the model did not look at took none
            self.took_ms.append(took_ms)

    @property
    def latency_ms(self) -> float:
        """The median of the last pictures, 0 without any."""
        return median(self.took_ms) if self.took_ms else 0.0

    @property
    def lately(self) -> Tally:
        """What was seen in the last half hour that it looked."""
        found = Tally()
        for _, tally in self._minutes:
            found.pictures += tally.pictures
            found.came += tally.came
        return found

    def _count(self, facts: dict[str, float], minute: int) -> None:
        if not self._minutes or self._minutes[-1][0] != minute:
            self._minutes.append((minute, Tally()))
        tally = self._minutes[-1][1]
        tally.pictures += 1
        for fact, value in facts.items():
            tally.came[fact] += max(0, int(value - self._last.get(fact, 0)))
            self._last[fact] = value
