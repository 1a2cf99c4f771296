"""What a point did lately: a bounded ring of medians, one for each step of a window. Pure Python, and small."""

from __future__ import annotations

from collections import deque
from math import inf, isfinite
from statistics import median
from typing import Any, NamedTuple

from agent.core.model import Instant, Sample
from rules.condition import careful, is_good, number

_RAW = 15
"""Samples within one step that its median is taken of; more come too close together to tell more."""


class Mark(NamedTuple):
    """The median of one step, at the median of its times; ``good`` when every sample of it was."""

    at_s: float
    value: float
    good: bool


class Trace:
    """The last ``window_s`` of one point in ``steps`` marks.

    A value that is not reported anew for a quarter of the window is taken to hold, and marked as such at
    every step: a device that reports by exception sends nothing while nothing changes. ``hold_s`` is another
    time for that. ``phase`` is how much of its first step is over when it begins.
    """

    def __init__(self, window_s: float, steps: int, hold_s: float | None = None, phase: float = 1.0) -> None:
        self.window_s, self.step_s = window_s, window_s / steps
        self.marks: deque[Mark] = deque(maxlen=2 * steps)
        self._doubtful = 0
        self._phase = phase
        self._hold_s = window_s / 4 if hold_s is None else hold_s
        self._raw: list[Mark] = []
        self._closed_s = -inf
        self._last_s = -inf
        self._received_s = -inf

    def take(self, sample: Sample | None, now: Instant) -> bool:
        """Take the newest sample in; tell whether there is a new mark."""
        value = finite(sample)
        if sample is None or value is None:
            return False
        now_s, is_new = now.mono_s, False
        if sample.received_s > self._received_s:
            self._received_s = sample.received_s
            is_new = self._add(Mark(_between(self._last_s, sample.received_s, now_s), value, is_good(sample)))
        elif now_s - self._received_s >= self._hold_s and now_s - self._last_s >= self.step_s:
            is_new = self._add(Mark(now_s, value, is_good(sample)))
        self._forget(now_s)
        return is_new

    @property
    def span_s(self) -> float:
        """From the first mark to the last."""
        return self.marks[-1].at_s - self.marks[0].at_s if self.marks else 0.0

    @property
    def is_good(self) -> bool:
        """Whether every sample in it was GOOD."""
        return not self._doubtful

    def save(self) -> dict[str, Any]:
        """Return it as JSON data; the step that has just begun is left out."""
        return {"marks": [list(mark) for mark in self.marks], "received_s": self._received_s if self.marks else None}

    @careful
    def load(self, saved: Any, same_boot: bool) -> None:
        """Take it up; on another boot there is nothing to take."""
        if not isinstance(saved, dict) or not isinstance(saved.get("marks"), list):
            raise ValueError("a trace is a mapping with marks")
        if same_boot and saved["marks"]:
            marks = [Mark(float(at_s), float(value), bool(good)) for at_s, value, good in saved["marks"]]
            self.marks.extend(marks)
            self._doubtful = sum(not mark.good for mark in self.marks)
            self._closed_s = self._last_s = self.marks[-1].at_s
            self._received_s = float(saved["received_s"])

    def _add(self, raw: Mark) -> bool:
        """Add one sample; when its step is over, close it with the median."""
        if raw.at_s <= self._last_s:
            return False
        if self._closed_s == -inf:
            self._closed_s = raw.at_s - self._phase * self.step_s
        is_over = raw.at_s - self._closed_s >= self.step_s * (1 - 0.5 / _RAW)
        if self._raw and not is_over and raw.at_s - self._last_s < self.step_s / _RAW:
            return False
        self._last_s = raw.at_s
        self._raw.append(raw)
        if not is_over:
            return False
        mark = _middle(self._raw)
        self.marks.append(mark)
        self._doubtful += not mark.good
        self._closed_s = raw.at_s
        self._raw = []
        return True

    def _forget(self, now_s: float) -> None:
        while self.marks and now_s - self.marks[0].at_s > self.window_s:
            self._doubtful -= not self.marks.popleft().good


def finite(sample: Sample | None) -> float | None:
    """Return the value if one can calculate with it."""
    value = number(sample)
    return value if value is not None and isfinite(value) else None


def _between(last_s: float, received_s: float, now_s: float) -> float:
    """Return when the sample came, unless that lies before what was taken to hold until later."""
    return received_s if received_s > last_s else max(now_s, last_s)


def _middle(raw: list[Mark]) -> Mark:
    if len(raw) == 1:
        return raw[0]
    return Mark(median(each.at_s for each in raw), median(each.value for each in raw), all(each.good for each in raw))
