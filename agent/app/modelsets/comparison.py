"""What two models say of the same camera at the same time. Pure: times are those of the reports."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from models.wire import Report

LAG_S = 3.0
"""Votes take so long, and longer where pictures come seldom: what the other one says within that time is the same."""
MOST_SAMPLES = 5
APART_S = 5.0
_MOST_WAITING = 100
Facts = Mapping[str, float]


@dataclass
class Pair:
    """One fact: the sums of both over the pictures that were compared, and in how many of them both agreed."""

    pictures: int = 0
    at_work: float = 0.0
    shadow: float = 0.0
    agreed: int = 0

    def row(self) -> dict[str, float]:
        """Return both averages, and the agreement."""
        means = {"at_work": self.at_work / self.pictures, "shadow": self.shadow / self.pictures}
        percent = round(100 * self.agreed / self.pictures, 1)
        return {**{name: round(mean, 3) for name, mean in means.items()}, "agreement_percent": percent}


@dataclass(frozen=True)
class Look:
    """What the shadow said of a picture. ``shown`` are both annotated pictures, the one at work first."""

    taken_s: float
    at: str
    facts: Facts
    shown: tuple[bytes | None, bytes | None] = (None, None)


@dataclass(frozen=True)
class Difference:
    """A picture on which they differ by so many people, summed over the facts."""

    by: float
    look: Look
    at_work: Facts


@dataclass
class Comparison:
    """Give it every report of both; the shadow's are judged once those around them of the model at work are there."""

    pictures: int = 0
    agreed: int = 0
    faults: int = 0
    facts: dict[str, Pair] = field(default_factory=dict)
    differences: list[Difference] = field(default_factory=list)
    _waiting: deque[Look] = field(default_factory=lambda: deque(maxlen=_MOST_WAITING))
    _said: deque[tuple[float, Facts]] = field(default_factory=deque)
    _took_ms: tuple[deque[float], deque[float]] = field(
        default_factory=lambda: (deque(maxlen=1000), deque(maxlen=1000))
    )

    def at_work(self, report: Report) -> None:
        """Take a report of the model that drives the facts."""
        if report.whole is not None and report.counts:
            self._said.append((report.taken_s, dict(_compared(report.whole))))
            self._note_time(0, report.took_ms)
        while self._waiting and self._waiting[0].taken_s + LAG_S <= report.taken_s:
            self._settle(self._waiting.popleft())
        oldest_s = min(report.taken_s, self._waiting[0].taken_s if self._waiting else report.taken_s) - LAG_S
        while self._said and self._said[0][0] < oldest_s:
            self._said.popleft()

    def shadow(self, report: Report, at: str, shown: tuple[bytes | None, bytes | None] = (None, None)) -> None:
        """Take a report of the other one, and both pictures as they are now."""
        self.faults += report.model_fault
        if report.whole is not None and report.counts:
            self._note_time(1, report.took_ms)
            self._waiting.append(Look(report.taken_s, at, dict(_compared(report.whole)), shown))

    def _note_time(self, which: int, took_ms: float) -> None:
        if took_ms:  # a picture that the model did not look at took none
            self._took_ms[which].append(took_ms)

    def row(self) -> dict[str, Any]:
        """Return the result so far; nothing was compared while one of the two was blind."""
        names = ("at_work", "shadow")
        return {
            "pictures": self.pictures,
            "agreement_percent": round(100 * self.agreed / self.pictures, 1) if self.pictures else None,
            "facts": {name: pair.row() for name, pair in sorted(self.facts.items())},
            "took_ms": {
                name: round(median(took), 1) if took else None for name, took in zip(names, self._took_ms, strict=True)
            },
            "faults": self.faults,
            "differences": [
                {"at": each.look.at, "by": each.by, "at_work": dict(each.at_work), "shadow": dict(each.look.facts)}
                for each in self.differences
            ],
        }

    def _settle(self, look: Look) -> None:
        near = [(abs(at_s - look.taken_s), facts) for at_s, facts in self._said if abs(at_s - look.taken_s) <= LAG_S]
        if not near:
            return
        nearest = min(near, key=lambda each: each[0])[1]
        by = sum(self._compare(name, look.facts[name], nearest, [facts for _, facts in near]) for name in look.facts)
        self.pictures += 1
        self.agreed += by == 0
        if by:
            self._keep(Difference(by, look, nearest))

    def _compare(self, name: str, value: float, nearest: Facts, near: list[Facts]) -> float:
        """Return how far a value is from all that the model at work said around that time."""
        said = [facts[name] for facts in near if name in facts]
        if name not in nearest:
            return 0.0
        by = max(0.0, min(said) - value, value - max(said))
        pair = self.facts.setdefault(name, Pair())
        pair.pictures += 1
        pair.at_work += nearest[name]
        pair.shadow += value
        pair.agreed += by == 0
        return by

    def _keep(self, found: Difference) -> None:
        """Keep the worst, each of another moment."""
        same = [each for each in self.differences if abs(each.look.taken_s - found.look.taken_s) < APART_S]
        if any(each.by >= found.by for each in same):
            return
        others = [each for each in self.differences if each not in same]
        self.differences = sorted([*others, found], key=lambda each: -each.by)[:MOST_SAMPLES]


def _compared(facts: Facts) -> Iterator[tuple[str, float]]:
    return ((name, value) for name, value in facts.items() if name == "persons" or name.startswith("no_"))
