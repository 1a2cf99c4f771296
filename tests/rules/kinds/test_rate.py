from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.model import Quality
from tests.rules.kinds.bench import Bench


def bench(**more: Any) -> Bench:
    return Bench(kind="rate", input="a", **{"at": 5, "window": "60s", **more})


def ramp(found: Bench, per_min: float, seconds: int, every: float = 1.0, noise: float = 0.0) -> bool | None:
    source, begin_s, last = random.Random(7), found.now.mono_s, None
    begin = float(found.samples["a"].value or 0) if "a" in found.samples else 20.0
    while found.now.mono_s - begin_s < seconds:
        jitter = every * source.uniform(0.5, 1.5)
        value = begin + per_min * (found.now.mono_s + jitter - begin_s) / 60 + source.gauss(0, noise)
        last = found.after(jitter, a=value)
    return last


@pytest.mark.parametrize(
    ("direction", "per_min", "expected"),
    [("either", 5.2, True), ("either", -5.2, True), ("rising", 5.2, True), ("rising", -5.2, False),
     ("falling", -5.2, True), ("falling", 5.2, False), ("either", 4.8, False)],
)  # fmt: skip
def test_it_tells_the_rate_of_a_jittered_ramp(direction: str, per_min: float, expected: bool) -> None:
    found = bench(direction=direction)
    assert ramp(found, per_min, 90) is expected
    rate = found.judge().value
    assert isinstance(rate, float) and abs(rate - per_min) < 0.05


@pytest.mark.parametrize(("per", "at"), [("s", 5 / 60), ("min", 5), ("h", 300)])
def test_the_unit_of_time_is_only_a_unit(per: str, at: float) -> None:
    assert ramp(bench(per=per, at=at), 5.2, 90) is True and ramp(bench(per=per, at=at), 4.8, 90) is False


def test_too_little_data_are_unknown() -> None:
    found = bench()
    assert ramp(found, 50, 25) is None, "less than half the window"
    assert bench(window="2s").after(1, a=1) is None


@given(st.integers(0, 89), st.floats(-1e6, 1e6), st.integers(0, 2**32))
def test_one_outlier_changes_nothing(place: int, outlier: float, seed: int) -> None:
    found, source = bench(at=2, span="20s"), random.Random(seed)
    for second in range(90):
        value = outlier if second == place else 20.0
        assert found.after(source.uniform(0.6, 1.4), a=value) is not True


@given(st.floats(-1e7, 1e9), st.lists(st.floats(-50, 50), min_size=20, max_size=40))
def test_it_does_not_matter_when_it_happens(shift_s: float, values: list[float]) -> None:
    one, other = bench(window="20s"), bench(window="20s")
    other.clock.advance(round(shift_s))
    rates = []
    for value in values:
        rates.append([each.after(1, a=value) for each in (one, other)])
        left, right = one.judge().value, other.judge().value
        assert left == right or abs(float(left or 0) - float(right or 0)) < 1e-6
    assert all(left is right for left, right in rates)


def test_a_value_that_is_not_reported_anew_holds() -> None:
    found = bench()
    assert ramp(found, 6, 60) is True
    assert found.after(120) is False, "a device that reports by exception sends nothing while nothing changes"


def test_unknown_and_uncertain_values() -> None:
    found = bench()
    ramp(found, 6, 90)
    assert found.after(1, a=None) is None and found.after(30) is None
    uncertain = bench()
    for second in range(60):
        uncertain.after(1, Quality.UNCERTAIN, a=second * 0.2)
    assert uncertain.judge().exceeded is True
    for _ in range(90):
        uncertain.after(1, Quality.UNCERTAIN, a=12)
    assert uncertain.judge().exceeded is None, "an uncertain value ends nothing"
    assert bench().after(1, a=float("inf")) is None


def test_the_deadband_holds_it() -> None:
    found = bench(deadband=2)
    assert ramp(found, 6, 90) is True
    assert ramp(found, 3.5, 90) is True
    assert ramp(found, 2.5, 90) is False


def test_it_survives_a_restart_and_forgets_on_another_boot() -> None:
    found = bench()
    ramp(found, 6, 90)
    found.restart()
    assert found.judge().exceeded is True
    found.restart(same_boot=False)
    assert found.after(1, a=20.0) is None


@pytest.mark.parametrize("every", [0.01, 0.2])
def test_its_memory_is_bounded(every: float) -> None:
    found = bench(window="10s")
    ramp(found, 6, 40, every)
    assert len(found.memory.marks) <= 16 and len(found.memory._raw) <= 16


def test_it_says_what_it_rests_on() -> None:
    found = bench()
    words = "a changes by 5 u/min or more (over 1min, of 30s at least)"
    assert found.condition.describe() == words and "too little to tell" in found.words()
    ramp(found, 6, 90)
    assert "rate +6" in found.words() and "marks over" in found.words()
