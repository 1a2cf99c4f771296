"""Figures of how the alarm system treats its operators (ISA-18.2 §16, EEMUA 191), in bounded memory. Pure.

Moments are monotonic seconds of this process; those from before its start are negative, or less than its first.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from math import ceil, floor, inf, log
from typing import NamedTuple

from typing_extensions import TypedDict

from agent.core.model import Action, Priority

TEN_MIN_S, HOUR_S, DAY_S = 600.0, 3600.0, 86_400.0
SPANS_S = {"24h": DAY_S, "30d": 30 * DAY_S}
STALE_AFTER_S = DAY_S
"""An alarm that has stood for so long tells nobody anything (EEMUA 191)."""
TOP = 10
_MOST_NAMES = 1000
"""Alarms that one tally counts by name; more are counted together."""
_OTHERS = "…"
_STEP = 1.1
"""Width of a class of delays: medians and percentiles are right within 5 %."""
_ANSWERED = (Action.ACKNOWLEDGED, Action.RESET)
_FALSE = ("false alarm", "误报")

_FORGOTTEN = (Action.SUPERSEDED, Action.REMOVED)


def says_false(note: str) -> bool:
    """Tell whether the reason of an act says that the alarm was false: it begins with these words."""
    return note.strip().casefold().startswith(_FALSE)


class Note(NamedTuple):
    """What the figures need of a transition. ``calls`` tells whether people were called by it."""

    moment_s: float
    action: Action
    alarm: str
    priority: Priority
    calls: bool
    is_false: bool = False
    """Whether somebody said that it was a false alarm."""


class Answers(TypedDict):
    """Time to acknowledge, in seconds; null when nobody acknowledged anything."""

    count: int
    median_s: float | None
    p90_s: float | None


class PriorityFigures(TypedDict):
    """``share`` is of all that was raised; about 5, 15 and 80 % for P1, P2 and P3 are thought good."""

    raised: int
    share: float
    acknowledge: Answers


class Figures(TypedDict):
    """One span of time. ``observed_s`` is how much of it is known."""

    observed_s: float
    raised: int
    per_10min_average: float
    per_10min_peak: int
    by_priority: dict[str, PriorityFigures]
    top: list[dict[str, object]]
    top_share: float
    false: list[dict[str, object]]
    false_share: float
    acknowledge: Answers
    flood_s: float
    flood_share: float


@dataclass(slots=True)
class Tally:
    """What happened in one interval."""

    raised: Counter[Priority] = field(default_factory=Counter)
    alarms: Counter[str] = field(default_factory=Counter)
    delays: Counter[tuple[Priority, int]] = field(default_factory=Counter)
    false: Counter[str] = field(default_factory=Counter)
    flood_s: float = 0.0

    def count(self, alarm: str, priority: Priority) -> None:
        """Count a raise."""
        self.raised[priority] += 1
        _count(self.alarms, alarm)

    def add(self, other: Tally) -> None:
        """Add another interval's."""
        self.raised.update(other.raised)
        self.alarms.update(other.alarms)
        self.delays.update(other.delays)
        self.false.update(other.false)
        self.flood_s += other.flood_s


class Series:
    """Tallies of equal intervals; the oldest make way."""

    def __init__(self, width_s: float, keep: int) -> None:
        self._width_s, self._keep = width_s, keep
        self._tallies: dict[int, Tally] = {}
        self._newest: float = -inf

    def at(self, moment_s: float) -> Tally:
        """Return the tally of the interval that holds ``moment_s``; one older than what is kept is for nothing."""
        index = floor(moment_s / self._width_s)
        self._newest = max(self._newest, index)
        if index < self._newest - self._keep:
            return Tally()
        if index not in self._tallies:
            self._tallies[index] = Tally()
            self._forget()
        return self._tallies[index]

    def _forget(self) -> None:
        """Let the oldest make way; one that came late stands behind younger ones, and goes when they do."""
        while (first := next(iter(self._tallies))) < self._newest - self._keep:
            del self._tallies[first]

    def since(self, moment_s: float) -> Iterator[Tally]:
        """Yield the tallies of the intervals that end after ``moment_s``."""
        first = floor(moment_s / self._width_s)
        return (tally for index, tally in self._tallies.items() if index >= first)


class Kpi:
    """Takes notes of what happened, and gives the figures of the last day and month."""

    def __init__(self, start_s: float) -> None:
        self._first_s = start_s
        self._at_s = start_s
        self._waiting: dict[str, float] = {}
        self._tens = Series(TEN_MIN_S, int(30 * DAY_S / TEN_MIN_S))
        self._series = {"24h": Series(HOUR_S, 24), "30d": Series(DAY_S, 30)}

    def note(self, note: Note) -> None:
        """Take note of a transition."""
        self._first_s = min(self._first_s, note.moment_s)
        if note.is_false:
            for series in self._series.values():
                _count(series.at(note.moment_s).false, note.alarm)
        if note.action is Action.RAISED and note.calls:
            self._waiting[note.alarm] = note.moment_s
            self._tens.at(note.moment_s).raised[note.priority] += 1
            for series in self._series.values():
                series.at(note.moment_s).count(note.alarm, note.priority)
        elif note.action in _ANSWERED and note.alarm in self._waiting:
            delay_s = max(note.moment_s - self._waiting.pop(note.alarm), 1.0)
            for series in self._series.values():
                series.at(note.moment_s).delays[note.priority, floor(log(delay_s, _STEP))] += 1
        elif note.action in _FORGOTTEN:
            self._waiting.pop(note.alarm, None)

    def passes(self, now_s: float, flooded: bool) -> None:
        """Let time pass, in a flood or not; to be called about once a second."""
        if flooded:
            self.flooded(self._at_s, now_s)
        self._at_s = now_s

    def flooded(self, from_s: float, to_s: float) -> None:
        """Count a time in flood."""
        self._first_s = min(self._first_s, from_s)
        while from_s < to_s:
            upto_s = min(to_s, (floor(from_s / HOUR_S) + 1) * HOUR_S)
            for series in self._series.values():
                series.at(from_s).flood_s += upto_s - from_s
            from_s = upto_s

    def figures(self, span: str, now_s: float) -> Figures:
        """Return the figures of ``24h`` or ``30d``; the interval that is only partly within counts whole."""
        span_s = SPANS_S[span]
        total = Tally()
        for tally in self._series[span].since(now_s - span_s):
            total.add(tally)
        observed_s = max(min(span_s, now_s - self._first_s), 0.0)
        tens = ceil(now_s / TEN_MIN_S) - floor((now_s - observed_s) / TEN_MIN_S)
        raised = total.raised.total()
        top, false = _most(total.alarms), _most(total.false)
        return {
            "observed_s": round(observed_s),
            "raised": raised,
            "per_10min_average": round(raised / max(tens, 1), 2),
            "per_10min_peak": max((tally.raised.total() for tally in self._tens.since(now_s - span_s)), default=0),
            "by_priority": {priority.name: _by_priority(total, priority) for priority in Priority},
            "top": [{"alarm": alarm, "raised": count, "share": _share(count, raised)} for alarm, count in top],
            "top_share": _share(sum(count for _, count in top), raised),
            "false": [{"alarm": alarm, "said": count} for alarm, count in false],
            "false_share": _share(min(total.false.total(), raised), raised),
            "acknowledge": _delays(total, tuple(Priority)),
            "flood_s": round(min(total.flood_s, observed_s)),
            "flood_share": _share(min(total.flood_s, observed_s), observed_s),
        }


def _count(names: Counter[str], alarm: str) -> None:
    known = alarm in names or len(names) < _MOST_NAMES
    names[alarm if known else _OTHERS] += 1


def _most(names: Counter[str]) -> list[tuple[str, int]]:
    return [(alarm, count) for alarm, count in names.most_common(TOP + 1) if alarm != _OTHERS][:TOP]


def _by_priority(total: Tally, priority: Priority) -> PriorityFigures:
    count = total.raised[priority]
    return {
        "raised": count,
        "share": _share(count, total.raised.total()),
        "acknowledge": _delays(total, (priority,)),
    }


def _delays(total: Tally, priorities: tuple[Priority, ...]) -> Answers:
    classes: Counter[int] = Counter()
    for (priority, number), count in total.delays.items():
        if priority in priorities:
            classes[number] += count
    return {"count": classes.total(), "median_s": _quantile(classes, 0.5), "p90_s": _quantile(classes, 0.9)}


def _quantile(classes: Counter[int], share: float) -> float | None:
    left = share * classes.total()
    for number in sorted(classes):
        left -= classes[number]
        if left <= 0:
            return float(f"{_STEP ** (number + 0.5):.3g}")
    return None


def _share(part: float, whole: float) -> float:
    return round(part / whole, 4) if whole else 0.0
