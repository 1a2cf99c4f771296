"""When each alarm stood, and how long the siren would have sounded."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from math import inf

from agent.annunciation import OutputKind, shipped
from agent.core.model import AlarmDefinition, Change, Priority


@cache
def _is_loud(priority: Priority) -> bool:
    """Tell whether a siren sounds for that priority as shipped; how long it does without a pause is not counted."""
    return shipped().attracts(priority, ["siren"], {"siren": OutputKind.SIREN})


@dataclass(frozen=True)
class Span:
    """From raised to over, in seconds since the start of the recording; ``end_s`` is infinite if it still stands."""

    start_s: float
    end_s: float = inf


@dataclass
class Occurrences:
    """Of one rule set. ``spans`` are by alarm, the earliest first."""

    definitions: Mapping[str, AlarmDefinition]
    spans: dict[str, list[Span]] = field(default_factory=dict)
    _active: dict[str, float] = field(default_factory=dict)
    _calling: dict[str, float] = field(default_factory=dict)
    _sounded: list[tuple[float, float]] = field(default_factory=list)

    def hear(self, changes: Sequence[Change], now_s: float) -> None:
        """Take in what an engine changed."""
        for change in changes:
            alarm = change.alarm
            if alarm.active != (alarm.id in self._active):
                self._begin(alarm.id, now_s) if alarm.active else self._end(alarm.id, now_s)
            sounds = alarm.calls and _is_loud(self.definitions[alarm.id].priority)
            if sounds and alarm.id not in self._calling:
                self._calling[alarm.id] = now_s
            elif not sounds and alarm.id in self._calling:
                self._sounded.append((self._calling.pop(alarm.id), now_s))

    def close(self, end_s: float) -> None:
        """Take note that the recording ends here."""
        for alarm, start_s in self._active.items():
            self.spans.setdefault(alarm, []).append(Span(start_s))
        self._sounded += [(start_s, end_s) for start_s in self._calling.values()]
        self._active.clear()
        self._calling.clear()

    def begin_at(self, start_s: float) -> None:
        """Leave out what was over by then."""
        kept = {alarm: [span for span in spans if span.end_s > start_s] for alarm, spans in self.spans.items()}
        self.spans = {alarm: spans for alarm, spans in kept.items() if spans}

    def _begin(self, alarm: str, now_s: float) -> None:
        self._active[alarm] = now_s

    def _end(self, alarm: str, now_s: float) -> None:
        self.spans.setdefault(alarm, []).append(Span(self._active.pop(alarm), now_s))

    def sounding_s(self) -> float:
        """Return how long a siren would sound if nobody acknowledged; alarms at the same time count once."""
        total_s, until_s = 0.0, -inf
        for start_s, end_s in sorted(self._sounded):
            total_s += max(end_s - max(start_s, until_s), 0.0)
            until_s = max(until_s, end_s)
        return total_s

    def by_priority(self) -> dict[str, int]:
        """Return how many occurrences there are of each priority."""
        counts = dict.fromkeys((priority.name for priority in Priority), 0)
        for alarm, spans in self.spans.items():
            counts[self.definitions[alarm].priority.name] += len(spans)
        return counts


def time_in_s(spans: Iterable[Span], end_s: float) -> float:
    """Return how long an alarm stood until ``end_s``."""
    return sum(min(span.end_s, end_s) - span.start_s for span in spans)


@dataclass(frozen=True)
class Matched:
    """Occurrences of one alarm in two sets; ``moved`` are those of both whose times differ."""

    same: int
    moved: tuple[tuple[Span, Span], ...]
    only_new: tuple[Span, ...]
    only_old: tuple[Span, ...]


def match(new: Sequence[Span], old: Sequence[Span], tolerance_s: float) -> Matched:
    """Pair occurrences that stand at the same time, or begin within ``tolerance_s``; each is paired once."""
    same, moved, only_new, only_old, at = 0, [], [], [], 0
    for span in new:
        while at < len(old) and _before(old[at], span, tolerance_s):
            only_old.append(old[at])
            at += 1
        if at == len(old) or _before(span, old[at], tolerance_s):
            only_new.append(span)
            continue
        other = old[at]
        at += 1
        if _near(span.start_s, other.start_s, tolerance_s) and _near(span.end_s, other.end_s, tolerance_s):
            same += 1
        else:
            moved.append((span, other))
    return Matched(same, tuple(moved), tuple(only_new), (*only_old, *old[at:]))


def _before(one: Span, other: Span, tolerance_s: float) -> bool:
    return one.end_s <= other.start_s and not _near(one.start_s, other.start_s, tolerance_s)


def _near(one_s: float, other_s: float, tolerance_s: float) -> bool:
    return one_s == other_s or abs(one_s - other_s) <= tolerance_s
