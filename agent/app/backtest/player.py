"""Plays a recording to one or more rule sets in virtual time: timers, sweeps and staleness as the agent has them.

Most samples of a plant change nothing, and a month has many: what no rule names is left out at once, and
what lies quietly between the limits of every set is only noted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from math import ceil, inf, isfinite

from agent.core.model import Change, Instant, PointInfo, Quality, Sample
from agent.core.recording import Recording
from agent.facts import FactTable
from agent.pipeline import rounds
from rules.engine import Engine

SWEEP_S = 1.0
Heard = Callable[[int, Sequence[Change], float], None]
"""Is told the number of the engine, what changed in it, and when (seconds since the start)."""
_ALWAYS = (inf, -inf)


class Player:
    """One run over one recording."""

    def __init__(self, engines: Sequence[Engine], points: Sequence[PointInfo], started_at: datetime, heard: Heard):
        self._engines, self._heard, self._started_at = tuple(engines), heard, started_at
        self._named = frozenset(point for engine in engines for point in engine.points)
        self._counted = frozenset(point for engine in engines for point in engine.counted)
        self._facts = FactTable([info for info in points if info.id in self._named])
        self._sweep_s = SWEEP_S
        self._next_s = 0.0
        self._is_timed = any(engine.is_timed for engine in engines)

    def play(self, recording: Recording) -> None:
        """Play it from its beginning to its end."""
        now = self._at(0.0)
        for number, engine in enumerate(self._engines):
            self._tell(number, engine.evaluate(self._facts, None, now), 0.0)
        self._rearm()
        for batch in recording.batches(only=self._named):
            self._block(batch)
        self._pass_time(recording.end_s)

    def _block(self, block: Sequence[Sample]) -> None:
        """Take samples in; those of one moment belong together, and are judged together."""
        group: list[Sample] = []
        moment_s = block[0][4] if block else 0.0
        for sample in block:
            if sample[4] != moment_s:
                self._moment(group, moment_s)
                group, moment_s = [], sample[4]
            group.append(sample)
        self._moment(group, moment_s)

    def _moment(self, group: list[Sample], moment_s: float) -> None:
        if moment_s >= self._next_s:
            self._pass_time(moment_s)
        quiet = [engine.quiet for engine in self._engines]
        good = Quality.GOOD
        noteworthy: list[Sample] = []
        for sample in group:
            value = sample[1]
            if sample[2] is good and (value.__class__ is float or value.__class__ is int):
                for bands in quiet:
                    low, high = bands.get(sample[0], _ALWAYS)
                    if not low < value < high:
                        break
                else:
                    continue
            noteworthy.append(sample)
        if not noteworthy:
            self._facts.note(group)
        elif len({sample[0] for sample in group}) == len(group):
            changed = self._facts.update(noteworthy, self._counted)
            self._facts.note(group)
            self._judge(changed, moment_s)
        else:
            for each in rounds(group):
                self._judge(self._facts.update(each, self._counted), moment_s)

    def _judge(self, changed: Sequence[Sample], moment_s: float) -> None:
        if changed:
            self._evaluate(changed, self._at(moment_s))
            self._rearm()

    def _pass_time(self, until_s: float) -> None:
        """Let time pass as the agent does: every timer when it is due, and a sweep each second."""
        while self._next_s <= until_s:
            now = self._at(self._next_s)
            if now.mono_s >= self._sweep_s:
                stale = self._facts.expired(now.mono_s)
                for number, engine in enumerate(self._engines):
                    self._tell(number, engine.sweep(self._facts, stale, now), now.mono_s)
                self._sweep_s = self._next_sweep_s(now.mono_s)
            else:
                self._evaluate((), now)
            self._rearm()

    def _evaluate(self, changed: Sequence[Sample], now: Instant) -> None:
        for number, engine in enumerate(self._engines):
            self._tell(number, engine.evaluate(self._facts, changed, now), now.mono_s)

    def _tell(self, number: int, changes: Sequence[Change], now_s: float) -> None:
        if changes:
            self._heard(number, changes, now_s)

    def _rearm(self) -> None:
        dues = [due_s for engine in self._engines if (due_s := engine.next_due_s()) is not None]
        self._next_s = min([*dues, self._sweep_s])

    def _next_sweep_s(self, now_s: float) -> float:
        """Without rules that look at the clock, nothing happens at a sweep before something goes stale."""
        if self._is_timed:
            return now_s + SWEEP_S
        again_s = self._facts.look_again_s
        return max(now_s + SWEEP_S, float(ceil(again_s)) if isfinite(again_s) else again_s)

    def _at(self, seconds: float) -> Instant:
        return Instant(seconds, self._started_at + timedelta(seconds=seconds))
