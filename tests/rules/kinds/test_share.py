from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from agent.core.clock import ManualClock
from agent.core.model import PointInfo, Quality, Sample
from agent.facts import FactTable
from rules.engine import Engine
from tests.rules.kinds.bench import Bench, options


def bench(**more: Any) -> Bench:
    return Bench(kind="share", inputs={"bare": "a"}, when="bare > 0", **more)


def frames(found: Bench, *values: float | None, every: float = 0.5) -> list[bool | None]:
    return [found.after(every, a=value) for value in values]


def test_one_picture_proves_nothing() -> None:
    assert frames(bench(), 1, 0, 0, 0, 0, 0, 1, 0, 0) == [None] * 4 + [False] * 5
    assert frames(bench(), 0, 0, 1, 1, 1) == [None] * 4 + [True]


def test_too_few_observations_are_unknown() -> None:
    found = bench()
    assert frames(found, 1, 1, 1, every=1.0) == [None] * 3
    assert found.after(5) is None, "a look each second is no observation"


def test_a_blind_camera_is_unknown_at_once() -> None:
    found = bench()
    assert frames(found, 1, 1, 1, 1, 1, None) == [None] * 4 + [True, None]


def test_uncertain_pictures_never_end_it() -> None:
    found = bench()
    frames(found, 0, 0, 0, 0)
    assert found.after(0.5, Quality.UNCERTAIN, a=0) is None
    assert frames(found, 1, 1, 1, 1)[-1] is True


@given(
    st.lists(st.tuples(st.floats(0.01, 1.0), st.sampled_from([0, 1, None])), max_size=60),
    st.integers(1, 6),
    st.sampled_from([20, 50, 60, 100]),
)
def test_against_counting_by_hand(story: list[tuple[float, int | None]], least: int, percent: float) -> None:
    found = bench(observations=least, percent=percent)
    seen: list[tuple[float, bool]] = []
    for seconds, value in story:
        result = found.after(seconds, a=value)
        if value is not None:
            seen.append((found.now.mono_s, bool(value)))
        recent = [positive for at_s, positive in seen if found.now.mono_s - at_s < 3.0]
        if value is None or len(recent) < least:
            assert result is None
        else:
            assert result is (sum(recent) * 100 >= percent * len(recent))


def test_its_memory_is_bounded_however_fast_the_pictures_come() -> None:
    found = bench(window="10s")
    for index in range(20_000):
        found.after(0.001, a=index % 2)
    assert len(found.memory.seen) <= 401


def test_it_survives_a_restart() -> None:
    found = bench()
    frames(found, 1, 1, 1, 1)
    found.restart()
    assert found.after(0.5, a=1) is True
    found.restart(same_boot=False)
    assert found.after(0.5, a=1) is None


def test_every_picture_reaches_it_though_it_shows_the_same() -> None:
    read = options(kind="share", inputs={"bare": "cam.bare"}, when="bare > 0")
    points = {"cam.bare": PointInfo("cam.bare")}
    engine, facts, clock = Engine(read.compile(points)), FactTable(points.values()), ManualClock()
    for _ in range(5):
        now = clock.advance(0.4)
        changed = facts.update([Sample.good("cam.bare", 1, now)], engine.counted)
        engine.evaluate(facts, changed, now)
    assert engine.alarms["a"].active


def test_it_says_what_it_saw() -> None:
    found = bench()
    frames(found, 1, 1, 0)
    words = "60 % or more of 5 or more observations within 3s say bare > 0  [bare=a]"
    assert found.condition.describe() == words
    assert "2 of 3 observations within 3s say so" in found.words() and "too few to tell" in found.words()
