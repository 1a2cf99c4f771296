from __future__ import annotations

import json
import random
from collections.abc import Callable
from datetime import timedelta
from functools import cache
from math import pi, sin
from typing import Any

import pytest

from agent.core.model import Quality
from tests.rules.kinds.bench import Bench

DAY = 1440
LEARNT = 7 * DAY
Extra = Callable[[int], float]


class Plant:
    """A value with a curve over the day, a shift that loads it from 8 to 18, good and bad days, and slow noise."""

    def __init__(self, seed: int, **more: Any) -> None:
        self.source, self.noise, self.day, self.minute = random.Random(seed), 0.0, 0.0, 0
        self.bench = Bench(kind="anomaly", input="a", least=1.0, **more)

    def value(self) -> float:
        if self.minute % DAY == 0:
            self.day = 0.6 * self.day + 0.8 * self.source.gauss(0, 0.5)
        self.noise = 0.98 * self.noise + 0.2 * self.source.gauss(0, 0.5)
        shift = 3 if 480 <= self.minute % DAY < 1080 else 0
        return 50 + 5 * sin(2 * pi * self.minute / DAY) + shift + self.day + self.noise

    def run(self, minutes: int, extra: Extra = lambda _: 0.0) -> list[int]:
        """Return the minutes, from now on, in which it was raised."""
        raised, begin = [], self.minute
        for _ in range(minutes):
            self.bench.clock.advance(60.0)
            before = self.bench.held
            self.bench.set({"a": self.value() + extra(self.minute - begin)})
            if self.bench.judge().exceeded and not before:
                raised.append(self.minute - begin)
            self.minute += 1
        return raised


@cache
def learnt_once(seed: int) -> str:
    """Return what a plant of two weeks leaves in memory, as JSON."""
    plant = Plant(seed)
    plant.run(2 * LEARNT)
    return json.dumps([plant.bench.memory.save(), plant.noise, plant.day])


def learnt(seed: int = 1, **more: Any) -> Plant:
    """Return a plant that has run for two weeks, at midnight."""
    plant = Plant(seed, **more)
    saved, plant.noise, plant.day = json.loads(learnt_once(seed))
    plant.bench.clock.advance(2 * LEARNT * 60.0)
    plant.minute = 2 * LEARNT
    plant.source = random.Random(seed + 1000)
    plant.bench.memory.load(saved, True)
    return plant


def test_it_says_nothing_before_it_has_learnt() -> None:
    plant = Plant(1)
    assert plant.run(6 * DAY, lambda minute: 100 if minute > 5 * DAY else 0) == []
    assert plant.bench.judge().exceeded is None and "that it needs before it speaks" in plant.bench.words()


@pytest.mark.slow
def test_false_alarms_over_simulated_weeks() -> None:
    """2 plants over 3 weeks after the two that they learn."""
    counts = {}
    for detector in ("drift", "step", "hour"):
        counts[detector] = sum(len(learnt(seed, detect=[detector]).run(3 * 7 * DAY)) for seed in range(1, 3))
    print(f"false alarms in 6 weeks: {counts}")
    assert counts["step"] <= 1 and counts["hour"] <= 1 and counts["drift"] <= 2


def test_a_step_is_told_within_minutes_and_is_over_when_it_is_the_rule() -> None:
    plant = learnt(detect=["step"])
    (raised,) = plant.run(DAY, lambda minute: 5 if minute >= 200 else 0)
    assert 200 <= raised <= 215
    assert plant.bench.held is False


def test_what_does_not_fit_the_hour_is_told_though_it_would_fit_another() -> None:
    plant = learnt(detect=["hour"])
    # what is usual for the shift, three hours after midnight
    (raised,) = plant.run(DAY, lambda minute: 8 if 180 <= minute < 300 else 0)
    assert 180 <= raised <= 195 and plant.bench.held is False


@pytest.mark.parametrize(("per_day", "within_days"), [(0.5, 6), (0.2, 12), (-0.2, 12)])
def test_a_slow_drift_is_told_in_days(per_day: float, within_days: float) -> None:
    raised = learnt(detect=["drift"]).run(15 * DAY, lambda minute: per_day * minute / DAY)
    assert raised and raised[0] <= within_days * DAY


def test_it_does_not_learn_while_it_is_abnormal_or_degraded() -> None:
    plant = learnt(detect=["hour"])
    plant.run(60)
    before = plant.bench.memory.normal.learnt
    plant.run(5 * DAY, lambda minute: 30)
    assert plant.bench.held and plant.bench.memory.normal.learnt == before
    doubtful = learnt()
    doubtful.run(60)
    before = doubtful.bench.memory.normal.learnt
    for _ in range(300):
        doubtful.bench.clock.advance(60.0)
        doubtful.bench.set({"a": 50.0}, Quality.UNCERTAIN)
        doubtful.bench.judge()
    assert doubtful.bench.memory.normal.learnt == before
    assert "will not be learnt" in doubtful.bench.words()


def test_a_lost_point_is_unknown_and_ends_nothing() -> None:
    plant = learnt()
    plant.run(300, lambda minute: 30 if minute > 200 else 0)
    assert plant.bench.held
    assert plant.bench.after(1, a=None) is None and plant.bench.after(600) is None and plant.bench.held


def test_a_clock_that_is_set_makes_the_hour_unknown_and_teaches_nothing() -> None:
    plant = learnt(detect=["hour"])
    plant.run(90)
    plant.bench.clock.step_utc(10 * 3600)
    assert plant.run(29) == []
    assert plant.bench.judge().exceeded is None and "the clock was set" in plant.bench.words()
    never_set = learnt(detect=["hour"])
    never_set.bench.clock.step_utc(timedelta(days=-20_000).total_seconds())
    assert never_set.run(200, lambda _: 50) == [] and never_set.bench.judge().exceeded is None


def test_the_normal_outlives_another_boot_and_the_last_minutes_do_not() -> None:
    plant = learnt(detect=["hour"])
    plant.run(100)
    hours = plant.bench.memory.normal.save()
    plant.bench.restart(same_boot=False)
    assert plant.bench.memory.normal.save() == hours and not plant.bench.memory.trace.marks
    assert plant.run(5) == [] and plant.bench.judge().exceeded is None
    plant.run(10)
    assert plant.bench.judge().exceeded is False


def test_the_same_story_gives_the_same_memory() -> None:
    one, other = Plant(3), Plant(3)
    one.run(4 * DAY), other.run(4 * DAY)
    assert one.bench.memory.save() == other.bench.memory.save()


@pytest.mark.parametrize(("by", "most"), [("day", 25_000), ("week", 100_000)])
def test_its_memory_is_bounded(by: str, most: int) -> None:
    plant = Plant(1, by=by)
    normal = plant.bench.memory.normal
    from rules.normal import Hour

    for index in range(30 * 168):
        normal.learn(index % normal.bins, Hour(-1.23456e-5, 1.23456e-5, 1.23456e-5))
    plant.run(100)
    assert len(json.dumps(plant.bench.memory.save())) < most


def test_one_wild_value_a_day_teaches_nothing() -> None:
    quiet, wild = Plant(1), Plant(1)
    quiet.run(4 * DAY)
    wild.run(4 * DAY, lambda minute: 1e6 if minute % DAY == 205 else 0)
    usual = [each.bench.memory.normal.usual(3) for each in (quiet, wild)]
    assert usual[0] is not None and usual[1] is not None and abs(usual[0].level - usual[1].level) < 0.1


def test_it_shows_its_normal_and_bounds() -> None:
    plant = learnt()
    plant.run(100)
    words = plant.bench.words()
    for piece in ("usual at this hour", "unusual beyond", "the median of 10 minutes", "a step is", "drift up"):
        assert piece in words
    described = "a drifts or steps or is unusual for the hour, by 1 u at least, against 7d learnt by hour of the day"
    assert plant.bench.condition.describe() == described
