"""Stale: a point, or any of several, has had no good value for too long. The one kind whose input is missing data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import Field

from agent.core.document import Where
from agent.core.durations import Duration, format_duration
from agent.core.model import Instant, PointInfo, Quality, Sample
from agent.core.ports import Facts
from rules.condition import Condition, Verdict, careful
from rules.language import SingleOptions


@dataclass(slots=True)
class Heard:
    """When each point last had a good value; of one that never had, when anybody began to look."""

    good_s: dict[str, float] = field(default_factory=dict)

    def save(self) -> dict[str, float]:
        """Return it as JSON data."""
        return dict(self.good_s)

    @careful
    def load(self, saved: Any, same_boot: bool) -> None:
        """Take it up; on another boot it begins anew."""
        if not isinstance(saved, dict):
            raise ValueError("a stale rule remembers a mapping")
        self.good_s = {str(point): float(good_s) for point, good_s in saved.items()} if same_boot else {}


@dataclass(frozen=True, slots=True)
class StaleCondition(Condition):
    """True when one of ``points`` has had no GOOD value for ``after_s``; never unknown.

    Points in ``renewed`` need a new sample in that time; the others hold theirs until the next one comes.
    """

    timed = True

    points: tuple[str, ...]
    after_s: float
    renewed: frozenset[str]

    @property
    def inputs(self) -> tuple[str, ...]:
        """The points."""
        return self.points

    def remember(self) -> Heard:
        """Return a memory that begins to look at the first judgement."""
        return Heard()

    def judge(self, facts: Facts, memory: Heard, held: bool, now: Instant) -> Verdict:
        """Exceeded while a point is missing for too long; once exceeded, until every one has a good value."""
        longest, silent_s = "", -1.0
        for point in self.points:
            missing_s = self._missing_s(point, facts, memory, now.mono_s)
            if missing_s is not None and missing_s > silent_s:
                longest, silent_s = point, missing_s
        if not longest:
            return Verdict(False, None, False)
        return Verdict(held or silent_s >= self.after_s, longest, True)

    def describe(self) -> str:
        """Return ``badge.beat or badge.sos without a good value for 5min``."""
        anew = f" (anew: {', '.join(sorted(self.renewed))})" if self.renewed else ""
        return f"{' or '.join(self.points)} without a good value for {format_duration(self.after_s)}{anew}"

    def explain(self, facts: Facts, memory: Heard, now: Instant) -> Iterator[str]:
        """Add how long each point has been missing."""
        yield from Condition.explain(self, facts, memory, now)
        for point in self.points:
            if point in memory.good_s and not self._has_good(point, facts.get(point, now.mono_s), now.mono_s):
                yield f"{point} has had no good value for {now.mono_s - memory.good_s[point]:.1f} s"

    def _missing_s(self, point: str, facts: Facts, memory: Heard, now_s: float) -> float | None:
        """Return for how long the point has had no good value, None if it has one."""
        sample = facts.get(point, now_s)
        if sample is not None and sample.quality is Quality.GOOD:
            memory.good_s[point] = sample.received_s if point in self.renewed else now_s
        if self._has_good(point, sample, now_s):
            return None
        return now_s - memory.good_s.setdefault(point, now_s)

    def _has_good(self, point: str, sample: Sample | None, now_s: float) -> bool:
        if sample is None or sample.quality is not Quality.GOOD:
            return False
        return point not in self.renewed or now_s - sample.received_s < self.after_s


class StaleOptions(SingleOptions):
    """No good value for so long."""

    kind: Literal["stale"] = "stale"
    inputs: tuple[str, ...] = Field(min_length=1, max_length=100)
    after: Duration = Field(gt=0)
    renew: bool = Field(
        default=False,
        description="a new sample must come in that time; so it is anyway for points that can go stale, such as polled",
    )

    def points(self) -> Iterator[tuple[Where, str]]:
        """Yield every input."""
        for index, point in enumerate(self.inputs):
            yield ("inputs", index), point
        yield from super().points()

    def condition(self, points: Mapping[str, PointInfo]) -> StaleCondition:
        """Return the compiled condition."""
        renewed = {point for point in self.inputs if self.renew or points[point].stale_after_s is not None}
        return StaleCondition(tuple(dict.fromkeys(self.inputs)), self.after, frozenset(renewed))
