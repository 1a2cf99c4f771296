"""Anomaly: a value within its limits, and yet not as it usually is: it drifts, steps, or does not fit the hour."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import ceil
from statistics import median
from typing import Any, Literal

from pydantic import Field

from agent.core.calendars import clock_was_set
from agent.core.document import Where
from agent.core.durations import Duration, format_duration
from agent.core.model import Instant, PointInfo, Sample
from agent.core.ports import Facts
from rules.condition import UNKNOWN, Condition, Verdict, careful, is_good, sure
from rules.language import Message, SingleOptions
from rules.normal import DAY, WEEK, Normal, Usual, hour_of
from rules.trace import Mark, Trace, finite

Detector = Literal["drift", "step", "hour"]
_WORDS: dict[Detector, str] = {"drift": "drifts", "step": "steps", "hour": "is unusual for the hour"}

_NOW, _BEFORE = 10, 30
"""Minutes that are now, and minutes before them: a step is the difference of their medians."""
_LEAST_MINUTES = 30
"""An hour of which fewer minutes are known is not learnt and not judged for drift."""
_NEAR = 15
"""Minutes by which what happens every day may come early or late."""
_CLOCK_STEP_S = 60.0
"""A wall clock that moves by more against the monotonic one makes the hour one to leave out."""
_Z = 5.0
_STEPS = 3.0
"""A step must be so many times the largest that is usual at that hour."""
_SLACK, _DRIFTED, _CLIP = 1.0, 48.0, 4.0
"""CUSUM of the hours (Page 1954), in standard deviations: what is beyond the slack adds up, an odd hour clipped."""
_EASE = 0.7
"""Once tripped, a detector holds until it is below so much of its threshold."""
_DAY_HOURS = 24
_CLOCK_SET = "the clock was set"


class AnomalyMemory:
    """The last 40 minutes, the hour that runs, the normal, and where each detector stands."""

    def __init__(self, bins: int) -> None:
        self.trace = Trace(60.0 * (_NOW + _BEFORE), _NOW + _BEFORE, hold_s=120.0)
        self.normal = Normal(bins)
        self.anchor: list[Usual | None] = []
        """The normal as it was when it had been learnt: drift is measured from it, for ever."""
        self.found: dict[Detector, bool | None] = {}
        self.up = self.down = self.lasting = 0.0
        self.hour: int | None = None
        self.minutes: list[float] = []
        self.largest = 0.0
        self.spoilt = ""
        """Why the hour that runs will not be learnt."""
        self.offset_s: float | None = None
        self.usual: Usual | None = None
        """What is usual now; None before enough was learnt, and while nobody knows the hour."""
        self.near: list[Usual] = []
        """What is usual at the hours around, of which one has just ended or is about to begin."""
        self.level: float | None = None
        self.change: float | None = None

    def save(self) -> dict[str, Any]:
        """Return it as JSON data; the hour that runs is begun anew."""
        return {
            "trace": self.trace.save(),
            "normal": self.normal.save(),
            "anchor": [list(usual) if usual is not None else None for usual in self.anchor],
            "found": dict(self.found),
            "drift": [self.up, self.down, self.lasting],
        }

    @careful
    def load(self, saved: Any, same_boot: bool) -> None:
        """Take it up; the normal is kept on another boot, the last minutes are not."""
        if not isinstance(saved, dict) or not {"trace", "normal", "anchor", "drift"} <= saved.keys():
            raise ValueError("an anomaly remembers a trace, a normal, an anchor and a drift")
        self.trace.load(saved["trace"], same_boot)
        self.normal.load(saved["normal"])
        self.anchor = [Usual(*usual) if usual is not None else None for usual in saved["anchor"]]
        self.up, self.down, self.lasting = (float(value) for value in saved["drift"])
        if same_boot:
            self.found = dict(saved.get("found", {}))


@dataclass(frozen=True, slots=True)
class AnomalyCondition(Condition):
    """Differences below ``least``, in ``unit``, never count. It says nothing before it has learnt ``learn_s``."""

    timed = True

    point: str
    detect: tuple[Detector, ...]
    least: float
    learn_s: float
    bins: int
    revision: str = ""
    unit: str = ""

    @property
    def inputs(self) -> tuple[str, ...]:
        """The one point."""
        return (self.point,)

    def remember(self) -> AnomalyMemory:
        """Return a memory that has learnt nothing."""
        return AnomalyMemory(self.bins)

    def judge(self, facts: Facts, memory: AnomalyMemory, held: bool, now: Instant) -> Verdict:  # noqa: ARG002
        """Unknown until it has learnt enough. The value is the difference from what is usual now."""
        sample = facts.get(self.point, now.mono_s)
        if finite(sample) is None:
            memory.spoilt = memory.spoilt or "the value was unknown for a while"
            return UNKNOWN
        if memory.trace.take(sample, now):
            self._minute(memory, sample, now)
        found = [memory.found.get(detector) for detector in self.detect]
        exceeded = True if True in found else None if None in found else False
        if exceeded is None:
            return UNKNOWN
        away = None if memory.usual is None or memory.level is None else memory.level - memory.usual.level
        return sure(exceeded, away, is_good(sample) and memory.trace.is_good)

    def describe(self) -> str:
        """Return ``fan.vibration drifts or steps, by 0.5 mm/s at least, against 7d learnt``."""
        what = " or ".join(_WORDS[detector] for detector in self.detect)
        hours = "day" if self.bins == DAY else "week"
        revision = f", {self.revision}" if self.revision else ""
        least = f"{self.least:g} {self.unit}".rstrip()
        learnt = format_duration(self.learn_s)
        return f"{self.point} {what}, by {least} at least, against {learnt} learnt by hour of the {hours}{revision}"

    def explain(self, facts: Facts, memory: AnomalyMemory, now: Instant) -> Iterator[str]:
        """Add what is usual at this hour, and what each detector sees."""
        yield from Condition.explain(self, facts, memory, now)
        learnt = f"learnt {memory.normal.learnt} h of the {self._hours_needed} h that it needs before it speaks"
        yield learnt if not memory.anchor else f"learnt {memory.normal.learnt} h"
        if memory.spoilt:
            yield f"this hour will not be learnt: {memory.spoilt}"
        usual = memory.normal.usual(memory.normal.bin(now.utc))
        if usual is None:
            yield "not enough is known of this hour"
            return
        reach = max(_Z * usual.scale, self.least)
        bounds = f"{usual.level - reach:.6g} to {usual.level + reach:.6g}"
        yield f"usual at this hour {usual.level:.6g} {self.unit}, unusual beyond {bounds}"
        if memory.level is not None:
            yield f"now {memory.level:.6g}, the median of {_NOW} minutes"
        if memory.change is not None:
            limit = max(_STEPS * usual.step, self.least)
            yield f"change against {_BEFORE} minutes before {memory.change:+.6g}; a step is {limit:.6g}"
        lasting = f"lasting difference {memory.lasting:+.6g} {self.unit}"
        yield f"drift up {memory.up:.1f}, down {memory.down:.1f} of {_DRIFTED:g}; {lasting}"

    @property
    def _hours_needed(self) -> int:
        """Return how many hours must have been learnt; some are always missing."""
        return ceil(self.learn_s / 3600 * 0.9)

    def _minute(self, memory: AnomalyMemory, sample: Sample | None, now: Instant) -> None:
        """Look at one more minute."""
        self._follow_clock(memory, now)
        if not is_good(sample):
            memory.spoilt = memory.spoilt or "a value was not good"
        memory.minutes.append(memory.trace.marks[-1].value)
        self._look_up(memory, now)
        memory.level, memory.change = _recent(list(memory.trace.marks))
        memory.largest = max(memory.largest, abs(memory.change or 0.0))
        memory.found["hour"], memory.found["step"] = self._look(memory)
        memory.found["drift"] = self._drifts(memory, now)
        if any(memory.found[detector] for detector in self.detect):
            memory.spoilt = memory.spoilt or "the value is not normal"

    def _follow_clock(self, memory: AnomalyMemory, now: Instant) -> None:
        """Close the hour when the wall clock says so; leave one out in which it was set."""
        offset_s = now.utc.timestamp() - now.mono_s
        stepped = memory.offset_s is not None and abs(offset_s - memory.offset_s) > _CLOCK_STEP_S
        hour = int(now.utc.timestamp() // 3600)
        if hour != memory.hour:
            if memory.hour is not None and not stepped:
                self._close(memory)
            memory.minutes, memory.largest, memory.spoilt, memory.hour = [], 0.0, "", hour
        if stepped:
            memory.spoilt = _CLOCK_SET
        memory.offset_s = offset_s if memory.offset_s is None or stepped else memory.offset_s

    def _close(self, memory: AnomalyMemory) -> None:
        """Judge the hour that is over for drift, and learn it if all of it was normal."""
        if memory.hour is None or len(memory.minutes) < _LEAST_MINUTES or not clock_was_set(_utc(memory.hour)):
            return
        bin_ = memory.normal.bin(_utc(memory.hour))
        hour = hour_of(memory.minutes, memory.largest)
        if memory.anchor and memory.spoilt != _CLOCK_SET:
            self._add_up(memory, memory.anchor[bin_], hour.level)
        if not memory.spoilt:
            memory.normal.learn(bin_, hour)
        if not memory.anchor and memory.normal.learnt >= self._hours_needed:
            memory.anchor = [memory.normal.usual(each) for each in range(self.bins)]

    def _add_up(self, memory: AnomalyMemory, usual: Usual | None, level: float) -> None:
        if usual is None:
            return
        away = level - usual.level
        z = min(max(away / max(usual.scale, self.least / 3), -_CLIP), _CLIP)
        memory.up = min(max(memory.up + z - _SLACK, 0.0), 1.5 * _DRIFTED)
        memory.down = min(max(memory.down - z - _SLACK, 0.0), 1.5 * _DRIFTED)
        memory.lasting += (away - memory.lasting) / _DAY_HOURS

    def _look(self, memory: AnomalyMemory) -> tuple[bool | None, bool | None]:
        """Return whether the level fits none of the hours around, and whether it has stepped."""
        if memory.usual is None or memory.level is None:
            return None, None
        eased = _eased(memory, "hour")
        reaches = [(usual, max(_Z * usual.scale, self.least) * eased) for usual in memory.near]
        unusual = all(abs(memory.level - usual.level) >= reach for usual, reach in reaches)
        if memory.change is None:
            return unusual, None
        limit = max(_STEPS * memory.usual.step, self.least) * _eased(memory, "step")
        return unusual, abs(memory.change) >= limit

    def _drifts(self, memory: AnomalyMemory, now: Instant) -> bool | None:
        if not memory.anchor or not clock_was_set(now.utc):
            return None
        eased = _eased(memory, "drift")
        return max(memory.up, memory.down) >= _DRIFTED * eased and abs(memory.lasting) >= self.least * eased

    def _look_up(self, memory: AnomalyMemory, now: Instant) -> None:
        """Look up what is usual now, and shortly before and after: a shift begins a little early or late."""
        memory.usual, memory.near = None, []
        if not memory.anchor or not clock_was_set(now.utc) or memory.spoilt == _CLOCK_SET:
            return
        normal = memory.normal
        memory.usual = normal.usual(normal.bin(now.utc))
        bins = {normal.bin(now.utc + timedelta(minutes=minutes)) for minutes in (-_NEAR, 0, _NEAR)}
        found = [normal.usual(bin_) for bin_ in bins]
        memory.near = [usual for usual in found if usual is not None]


def _recent(marks: list[Mark]) -> tuple[float | None, float | None]:
    """Return the level of the last minutes, and by how much it differs from those before; None for a gap in them."""
    now = [mark.value for mark in marks[-_NOW:]]
    before = [mark.value for mark in marks[-_NOW - _BEFORE : -_NOW]]
    level = median(now) if len(now) == _NOW else None
    return level, level - median(before) if level is not None and len(before) >= _BEFORE - 3 else None


def _eased(memory: AnomalyMemory, detector: Detector) -> float:
    return _EASE if memory.found.get(detector) else 1.0


def _utc(hour: int) -> datetime:
    return datetime.fromtimestamp(hour * 3600, UTC)


class AnomalyOptions(SingleOptions):
    """Not as usual."""

    kind: Literal["anomaly"] = "anomaly"
    input: str
    detect: tuple[Detector, ...] = Field(default=("drift", "step", "hour"), min_length=1)
    least: float = Field(gt=0, description="the smallest difference that matters to anybody, in the point's unit")
    by: Literal["day", "week"] = Field(default="day", description="week where its days differ; it learns longer")
    learn: Duration | None = Field(default=None, description="it says nothing before; 7d by day, 28d by week")
    revision: str = Field(default="", description="any word; change it to learn anew")
    off_delay: Duration = 60.0

    def points(self) -> Iterator[tuple[Where, str]]:
        """Yield the one input."""
        yield ("input",), self.input
        yield from super().points()

    def faults(self) -> Iterator[Message]:
        """Find a rule that learns too little."""
        yield from super().faults()
        days = 3 if self.by == "day" else 21
        if self.learn is not None and self.learn < days * 86400:
            yield ("learn",), f"by {self.by} it must have seen every hour three times; make it {days}d at least"

    def measure(self, points: Mapping[str, PointInfo]) -> dict[str, Any]:
        """Return the unit, and the smallest difference."""
        return {"unit": points[self.input].unit, "limit": self.least}

    def condition(self, points: Mapping[str, PointInfo]) -> AnomalyCondition:
        """Return the compiled condition."""
        learn_s = self.learn if self.learn is not None else (7 if self.by == "day" else 28) * 86400.0
        detect = tuple(dict.fromkeys(self.detect))
        bins = DAY if self.by == "day" else WEEK
        return AnomalyCondition(self.input, detect, self.least, learn_s, bins, self.revision, points[self.input].unit)
