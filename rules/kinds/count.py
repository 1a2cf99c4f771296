"""Count: something happened so often in a sliding window; it ends when it has been quiet for a while."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from pydantic import Field

from agent.core.durations import Duration, format_duration
from agent.core.model import Instant, PointInfo
from agent.core.ports import Facts
from rules.cel import CelCondition
from rules.condition import Condition, Verdict, careful
from rules.language import ExpressionOptions


class Tally:
    """The latest events, no more than make an alarm, and how long everything was seen."""

    def __init__(self, size: int) -> None:
        self.events: deque[float] = deque(maxlen=size)
        self.last: bool | None = None
        self.seen_s: float | None = None
        """Since when the input has been known without a gap; None: it is not known."""
        self.calm = False
        """It was quiet for long enough, and has been known since: what was before no longer counts."""
        self.sample_s: tuple[float, ...] = ()

    def save(self) -> dict[str, Any]:
        """Return it as JSON data."""
        return {"events": list(self.events), "last": self.last}

    @careful
    def load(self, saved: Any, same_boot: bool) -> None:
        """Take it up; nobody looked in between, and on another boot its times mean nothing."""
        if not isinstance(saved, dict):
            raise ValueError("a count remembers a mapping")
        self.last = saved.get("last")
        self.events.extend(float(moment) for moment in saved.get("events", ()) if same_boot)


class CountCondition(Condition):
    """``count`` rising edges, or samples in which ``when`` is true, within ``window_s``."""

    timed = True

    def __init__(self, when: CelCondition, count: int, of: str, window_s: float, quiet_s: float) -> None:
        self._when = when
        self._count, self._of, self._window_s, self._quiet_s = count, of, window_s, quiet_s
        self.counts = of == "samples"

    @property
    def inputs(self) -> tuple[str, ...]:
        """Those of the expression."""
        return self._when.inputs

    def remember(self) -> Tally:
        """Return a memory without events."""
        return Tally(self._count)

    def judge(self, facts: Facts, memory: Tally, held: bool, now: Instant) -> Verdict:
        """Exceeded at ``count`` and beyond; once exceeded, until it was seen to be quiet for ``quiet_s``."""
        verdict = self._when.judge(facts, None, False, now)
        self._take(memory, verdict, facts, now.mono_s)
        found = self._found(memory, now.mono_s)
        if held and verdict.exceeded is not None and self._is_quiet(memory, now.mono_s):
            memory.events.clear()
            memory.calm = True
            return Verdict(False, 0, verdict.degraded)
        if held or found >= self._count:
            return Verdict(True, found, verdict.degraded)
        whole = memory.calm or self._saw(memory, self._window_s, now.mono_s)
        return Verdict(False if whole else None, found, verdict.degraded)

    def describe(self) -> str:
        """Return ``3 or more times trip within 10min, until quiet for 10min``."""
        times = "or more times" if self._of == "edges" else "or more samples with"
        window, quiet = format_duration(self._window_s), format_duration(self._quiet_s)
        return f"{self._count} {times} {self._when.describe()} within {window}, until quiet for {quiet}"

    def explain(self, facts: Facts, memory: Tally, now: Instant) -> Iterator[str]:
        """Add how many there were, and whether the whole window was seen."""
        yield from Condition.explain(self, facts, memory, now)
        yield f"{self._found(memory, now.mono_s)} of {self._count} within {format_duration(self._window_s)}"
        if memory.seen_s is None:
            yield "not known now, so nobody can count"
        elif not memory.calm and not self._saw(memory, self._window_s, now.mono_s):
            left_s = memory.seen_s + self._window_s - now.mono_s
            yield f"the window has not been seen whole yet; another {left_s:.0f} s"
        if memory.events:
            yield f"the last one {now.mono_s - memory.events[-1]:.1f} s ago"

    def _take(self, memory: Tally, verdict: Verdict, facts: Facts, now_s: float) -> None:
        """Note what happened; after a gap a False that became True has risen at least once.

        A True that is not GOOD counts, and is a gap as well: it may have fallen and risen.
        """
        truth = verdict.exceeded
        if truth is None or (truth and verdict.degraded):
            memory.seen_s, memory.calm = None, False
        elif memory.seen_s is None:
            memory.seen_s = now_s
        if truth is None:
            return
        samples = (facts.get(point, now_s) for point in self.inputs) if self.counts else ()
        stamps = tuple(sample.received_s for sample in samples if sample is not None)
        is_new = stamps != memory.sample_s if self.counts else memory.last is False
        if truth and is_new:
            memory.events.append(now_s)
        memory.last, memory.sample_s = truth, stamps
        while len(memory.events) > 1 and now_s - memory.events[0] >= self._window_s:
            memory.events.popleft()

    def _found(self, memory: Tally, now_s: float) -> int:
        """Return how many there were; all but the latest lie within the window, as ``_take`` left them."""
        if not memory.events or now_s - memory.events[-1] >= self._window_s:
            return 0
        return len(memory.events) if now_s - memory.events[0] < self._window_s else self._recount(memory, now_s)

    def _recount(self, memory: Tally, now_s: float) -> int:
        return sum(now_s - moment < self._window_s for moment in memory.events)

    def _is_quiet(self, memory: Tally, now_s: float) -> bool:
        """Tell whether nothing happened for long enough, all of it seen."""
        is_over = not memory.events or now_s - memory.events[-1] >= self._quiet_s
        return is_over and self._saw(memory, self._quiet_s, now_s)

    def _saw(self, memory: Tally, seconds: float, now_s: float) -> bool:
        return memory.seen_s is not None and now_s - memory.seen_s >= seconds


class CountOptions(ExpressionOptions):
    """A CEL expression that becomes true, or is true in a sample, so often."""

    kind: Literal["count"] = "count"
    count: int = Field(ge=2, le=10_000)
    of: Literal["edges", "samples"] = Field(default="edges", description="how often it became true, or samples with it")
    window: Duration = Field(gt=0)
    quiet: Duration | None = Field(default=None, gt=0, description="it ends after so long without; default: the window")

    def condition(self, points: Mapping[str, PointInfo]) -> CountCondition:  # noqa: ARG002 - it knows no units
        """Return the compiled condition."""
        quiet_s = self.window if self.quiet is None else self.quiet
        return CountCondition(CelCondition(self.when, self.inputs), self.count, self.of, self.window, quiet_s)
