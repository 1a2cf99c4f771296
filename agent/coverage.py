"""Minutes in which cameras really watched, by rule and shift. Pure: facts and time are arguments.

A minute counts as watched when every fact of a camera that the rule reads was good in all of it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypedDict

from agent.core.model import AlarmDefinition, Instant
from agent.policy import Policy

MINUTE_S = 60.0
_GAP_S = 5.0
"""Nobody looked for so long: then nobody knows whether that minute was watched."""
_KEEP = 8
_LONGEST = timedelta(days=1)


class CoverageRow(TypedDict):
    """One rule in one shift; ``shift`` is empty where the site names none, and then it is a day."""

    rule: str
    shift: str
    crew: str
    since: str
    minutes: int
    watched: int


@dataclass(slots=True)
class Span:
    """One shift, as far as this process saw it. ``counts`` has minutes and watched minutes by rule."""

    shift: str
    crew: str
    since: datetime
    counts: dict[str, tuple[int, int]] = field(default_factory=dict)

    def rows(self) -> list[CoverageRow]:
        """Return what was counted, by rule."""
        since = self.since.isoformat()
        return [
            {"rule": rule, "shift": self.shift, "crew": self.crew, "since": since, "minutes": all_, "watched": watched}
            for rule, (all_, watched) in sorted(self.counts.items())
        ]


class Coverage:
    """To be looked at about once a second. The latest eight shifts are kept, the newest last."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self.spans: deque[Span] = deque(maxlen=_KEEP)
        self._good: dict[str, bool] = {}
        self._begun: Instant | None = None
        self._looked_s = 0.0

    def look(self, inputs: Mapping[str, Iterable[str]], is_good: Callable[[str], bool], now: Instant) -> Span | None:
        """Take note of how the facts are now; return a shift that is over by it. ``inputs``: camera facts by rule."""
        over = None
        if self._begun is None or now.mono_s - self._begun.mono_s >= MINUTE_S:
            over = self._count(now)
            self._begun, self._good, self._looked_s = now, {}, now.mono_s
        unbroken = now.mono_s - self._looked_s <= _GAP_S
        self._looked_s = now.mono_s
        for rule, points in inputs.items():
            self._good[rule] = unbroken and self._good.get(rule, True) and all(map(is_good, points))
        return over

    def rows(self) -> list[CoverageRow]:
        """Return all shifts that are known, the newest first."""
        return [row for span in reversed(self.spans) for row in span.rows()]

    def _count(self, now: Instant) -> Span | None:
        """Count the minute that is over to the shift in which it began."""
        if self._begun is None:
            return None
        over = self._turn(self._begun.utc)
        counts = self.spans[-1].counts
        unbroken = now.mono_s - self._looked_s <= _GAP_S
        for rule, good in self._good.items():
            minutes, watched = counts.get(rule, (0, 0))
            counts[rule] = minutes + 1, watched + (good and unbroken)
        return over

    def _turn(self, utc: datetime) -> Span | None:
        """Begin a new shift when there is one; return the one before."""
        shift, crew = self._policy.shift(utc), self._policy.crew(utc)
        last = self.spans[-1] if self.spans else None
        if last is not None and last.shift == shift and not self._is_another_day(last, utc):
            return None
        self.spans.append(Span(shift, crew, utc))
        return last

    def _is_another_day(self, span: Span, utc: datetime) -> bool:
        days = [moment.astimezone(self._policy.zone).date() for moment in (span.since, utc)]
        return utc - span.since >= _LONGEST or (not span.shift and days[0] != days[1])


def watching(definitions: Iterable[AlarmDefinition], facts: frozenset[str]) -> dict[str, frozenset[str]]:
    """Return the camera facts that each rule reads; a rule that only asks whether data come is none of them."""
    found: dict[str, frozenset[str]] = {}
    for definition in definitions:
        read = facts.intersection(definition.inputs)
        if read and definition.kind != "stale":
            rule = definition.rule or definition.id
            found[rule] = found.get(rule, frozenset()) | read
    return found
