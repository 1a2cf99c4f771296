"""Share: enough of what was observed lately says so. For cameras, of which one picture proves nothing."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from pydantic import Field

from agent.core.durations import Duration, format_duration
from agent.core.model import Instant, PointInfo
from agent.core.ports import Facts
from rules.cel import CelCondition
from rules.condition import UNKNOWN, Condition, Verdict, careful, sure
from rules.language import ExpressionOptions

MOST_OBSERVATIONS = 400
"""Observations that come closer than a 400th of the window share a place: one that says so is enough."""


class Observations:
    """The latest observations: when, whether it said so, and whether it was GOOD."""

    def __init__(self) -> None:
        self.seen: deque[tuple[float, bool, bool]] = deque()
        self.positive = self.doubtful = 0
        self.stamps: tuple[float, ...] = ()

    def save(self) -> list[tuple[float, bool, bool]]:
        """Return it as JSON data."""
        return list(self.seen)

    @careful
    def load(self, saved: Any, same_boot: bool) -> None:
        """Take it up; on another boot there is none."""
        if not isinstance(saved, list):
            raise ValueError("a share remembers a list")
        for at_s, positive, good in saved if same_boot else ():
            self.add((float(at_s), bool(positive), bool(good)))

    def add(self, seen: tuple[float, bool, bool]) -> None:
        """Append one observation."""
        self.seen.append(seen)
        self.positive += seen[1]
        self.doubtful += not seen[2]

    def drop(self, seen: tuple[float, bool, bool]) -> None:
        """Count one no longer that was taken out."""
        self.positive -= seen[1]
        self.doubtful -= not seen[2]


class ShareCondition(Condition):
    """``share`` (0 to 1) of at least ``least`` observations within ``window_s`` say that ``when`` is true."""

    timed = True
    counts = True

    def __init__(self, when: CelCondition, share: float, least: int, window_s: float) -> None:
        self._when, self._share, self._least, self._window_s = when, share, least, window_s

    @property
    def inputs(self) -> tuple[str, ...]:
        """Those of the expression."""
        return self._when.inputs

    def remember(self) -> Observations:
        """Return a memory without observations."""
        return Observations()

    def judge(self, facts: Facts, memory: Observations, held: bool, now: Instant) -> Verdict:  # noqa: ARG002
        """Unknown while the newest observation is unknown, or there are too few of them."""
        verdict = self._when.judge(facts, None, False, now)
        if verdict.exceeded is not None:
            self._take(memory, verdict, facts, now.mono_s)
        while memory.seen and now.mono_s - memory.seen[0][0] >= self._window_s:
            memory.drop(memory.seen.popleft())
        if verdict.exceeded is None or len(memory.seen) < self._least:
            return UNKNOWN
        share = memory.positive / len(memory.seen)
        return sure(share >= self._share - 1e-9, round(share, 3), not memory.doubtful)

    def describe(self) -> str:
        """Return ``60 % or more of 5 or more observations of bare > 0 within 3s``."""
        what, window = self._when.describe(), format_duration(self._window_s)
        return f"{self._share * 100:g} % or more of {self._least} or more observations within {window} say {what}"

    def explain(self, facts: Facts, memory: Observations, now: Instant) -> Iterator[str]:
        """Add what the observations say."""
        yield from Condition.explain(self, facts, memory, now)
        recent = [each for each in memory.seen if now.mono_s - each[0] < self._window_s]
        positive = sum(each[1] for each in recent)
        yield f"{positive} of {len(recent)} observations within {format_duration(self._window_s)} say so"
        if len(recent) < self._least:
            yield f"too few to tell; {self._least} are needed"

    def _take(self, memory: Observations, verdict: Verdict, facts: Facts, now_s: float) -> None:
        """Take a new observation in; a sweep brings none."""
        samples = (facts.get(point, now_s) for point in self.inputs)
        stamps = tuple(sample.received_s for sample in samples if sample is not None)
        if stamps == memory.stamps:
            return
        memory.stamps = stamps
        seen = (now_s, bool(verdict.exceeded), not verdict.degraded)
        if memory.seen and now_s - memory.seen[-1][0] < self._window_s / MOST_OBSERVATIONS:
            last = memory.seen.pop()
            memory.drop(last)
            seen = (last[0], last[1] or seen[1], last[2] and seen[2])
        memory.add(seen)


class ShareOptions(ExpressionOptions):
    """A CEL expression that is true in enough observations. The defaults are those for protective equipment."""

    kind: Literal["share"] = "share"
    percent: float = Field(default=60.0, gt=0, le=100)
    observations: int = Field(default=5, ge=1, le=MOST_OBSERVATIONS // 2, description="with fewer it is unknown")
    window: Duration = Field(default=3.0, gt=0)

    def condition(self, points: Mapping[str, PointInfo]) -> ShareCondition:  # noqa: ARG002 - it knows no units
        """Return the compiled condition."""
        return ShareCondition(CelCondition(self.when, self.inputs), self.percent / 100, self.observations, self.window)
