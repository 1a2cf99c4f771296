from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from agent.core.model import Quality
from tests.rules.kinds.bench import Bench
from tests.thorough import times

EVERY_S = 60.0
NOISE_SERIES = times(1000)


def bench(**more: Any) -> Bench:
    return Bench(kind="forecast", input="a", **{"limit": 80, "within": "1h", "window": "30min", **more})


def play(found: Bench, values: Iterable[float]) -> float | None:
    """Return after how many minutes it was first exceeded."""
    for index, value in enumerate(values):
        found.clock.advance(EVERY_S)
        found.set({"a": value})
        if found.judge().exceeded:
            return index * EVERY_S / 60
    return None


def series(seed: int, minutes: int, shape: Callable[[float], float], rho: float = 0.0) -> list[float]:
    """Return ``shape`` of the minute with noise of 1, whose neighbours are alike by ``rho``."""
    source, noise, values = random.Random(seed), 0.0, []
    for index in range(int(minutes * 60 / EVERY_S)):
        noise = rho * noise + (1 - rho * rho) ** 0.5 * source.gauss(0, 1)
        values.append(shape(index * EVERY_S / 60) + noise)
    return values


@pytest.mark.parametrize("seed", range(10))
def test_a_real_ramp_is_foretold_in_time_and_not_too_early(seed: int) -> None:
    # 20 per hour from minute 60 on: the limit is reached at minute 150, and is an hour away at minute 90
    when = play(bench(), series(seed, 150, lambda minute: 50 + max(minute - 60, 0) / 3))
    assert when is not None and 85 <= when <= 110


def test_the_way_down_is_a_way_too() -> None:
    down = bench(limit=20, side="low")
    when = play(down, series(1, 150, lambda minute: 50 - max(minute - 60, 0) / 3))
    assert when is not None and 85 <= when <= 110


@pytest.mark.slow
def test_noise_alone_raises_hardly_ever() -> None:
    """In series of 2 h whose limit lies 5 sigma away: fewer than 1 in 200; with slow noise fewer than 1 in 50."""
    quick = sum(play(bench(limit=55), series(seed, 120, lambda _: 50)) is not None for seed in range(NOISE_SERIES))
    slow = sum(play(bench(limit=55), series(seed, 120, lambda _: 50, 0.64)) is not None for seed in range(300))
    print(f"false alarms: {quick} in {NOISE_SERIES} series of white noise, {slow} in 300 of noise that lasts 2 min")
    assert quick <= NOISE_SERIES // 200 and slow <= 6


@pytest.mark.slow
def test_a_step_is_no_trend() -> None:
    """Steps of 2 to 20 sigma, anywhere; the limit is far enough for a step not to reach it."""
    raised = 0
    for seed in range(200):
        source = random.Random(seed)
        height, at = source.choice([2, 3, 5, 10, 20]), source.randrange(30, 100)
        values = series(seed, 140, lambda minute, h=height, a=at: 50 + (h if minute >= a else 0))  # type: ignore[misc]
        raised += play(bench(), values) is not None
    print(f"false alarms in 200 steps: {raised}")
    assert raised <= 2


def test_short_data_are_unknown_and_not_false() -> None:
    found = bench()
    assert play(found, series(1, 20, lambda minute: 50 + minute)) is None
    assert found.judge().exceeded is None


def test_it_does_not_matter_when_it_happens() -> None:
    values = series(3, 150, lambda minute: 50 + max(minute - 60, 0) / 3)
    one, other = bench(), bench()
    other.clock.advance(12_345_678.0)
    assert play(one, values) == play(other, values) is not None


def test_it_ends_when_the_value_levels_out_and_not_for_want_of_data() -> None:
    found = bench()
    play(found, series(5, 150, lambda minute: 50 + max(minute - 60, 0) / 3))
    assert found.after(1, a=None) is None and found.after(600) is None
    assert found.held
    for value in series(6, 60, lambda _: 64.0):
        found.clock.advance(EVERY_S)
        found.set({"a": value})
        found.judge()
    assert found.judge().exceeded is False


def test_a_value_at_the_limit_has_arrived() -> None:
    found = bench()
    play(found, series(5, 150, lambda minute: 50 + max(minute - 60, 0) / 3))
    for value in series(6, 90, lambda _: 85.0):
        found.clock.advance(EVERY_S)
        found.set({"a": value})
        found.judge()
    verdict = found.judge()
    assert verdict.exceeded is True and verdict.value == 0.0


def test_an_uncertain_trend_may_raise_and_ends_nothing() -> None:
    found = bench()
    for value in series(5, 120, lambda minute: 50 + max(minute - 60, 0) / 3):
        found.clock.advance(EVERY_S)
        found.set({"a": value}, Quality.UNCERTAIN)
        assert found.judge().exceeded is not False
    assert found.held


def test_it_survives_a_restart_and_forgets_on_another_boot() -> None:
    found = bench()
    play(found, series(5, 150, lambda minute: 50 + max(minute - 60, 0) / 3))
    minutes = found.judge().value
    found.restart()
    assert found.judge() == (True, minutes, False)
    found.restart(same_boot=False)
    assert found.after(1, a=60.0) is None


def test_many_forecasts_do_not_reckon_in_the_same_second() -> None:
    marked = set()
    for name in (f"tank{index}" for index in range(40)):
        found = Bench(kind="forecast", input=name, limit=80, within="1h", window="30min")
        while not found.memory.marks:
            found.after(1, Quality.GOOD, **{name: 5.0})
        marked.add(found.now.mono_s)
    assert len(marked) > 15


def test_it_says_what_it_makes_of_it() -> None:
    found = bench()
    assert found.condition.describe() == "a will rise to 80 u within 1h (by its trend over 30min)"
    play(found, series(5, 10, lambda _: 50))
    assert "too little to tell" in found.words()
    play(found, series(5, 60, lambda _: 50))
    assert "could not be chance" in found.words() or "looks like a step" in found.words()
    play(found, series(5, 150, lambda minute: 50 + minute / 3))
    assert "trend +" in found.words() and "(99.9 %)" in found.words() and "reaches 80 u in" in found.words()
    stepped = bench()
    play(stepped, series(5, 60, lambda minute: 50 + (10 if minute > 45 else 0)))
    assert "it looks like a step" in stepped.words()
