from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from agent.core.model import Quality
from tests.rules.kinds.bench import Bench


def bench(stale_after_s: float | None = None, **more: Any) -> Bench:
    return Bench(stale_after_s, kind="stale", inputs=["a", "b"], after="10s", **more)


def test_a_point_that_was_never_read_is_missing_from_the_first_look_on() -> None:
    found = bench()
    assert found.after(1, a=1) is False
    assert found.after(9) is False
    assert found.after(1) is True


def test_it_ends_when_every_point_is_back_and_not_before() -> None:
    found = bench()
    found.after(1, a=1, b=1)
    assert found.after(1, a=None, b=None) is False
    assert found.after(10) is True
    assert found.after(1, a=1) is True
    assert found.after(1, b=1) is False


def test_uncertain_is_not_good() -> None:
    found = bench()
    found.after(1, a=1, b=1)
    found.after(1, Quality.UNCERTAIN, a=1)
    assert found.after(10) is True


def test_what_reports_by_exception_holds_its_value_and_what_is_polled_does_not() -> None:
    found = bench()
    found.after(1, a=1, b=1)
    assert found.after(1000) is False
    polled = bench(stale_after_s=3.0)
    polled.after(1, a=1, b=1)
    assert polled.after(9.5) is False and polled.after(1) is True
    renewed = bench(renew=True)
    renewed.after(1, a=1, b=1)
    assert renewed.after(5, a=1) is False and renewed.after(6) is True


def test_it_is_never_unknown_and_names_the_point() -> None:
    found = bench()
    found.after(1, a=1)
    found.after(20)
    verdict = found.judge()
    assert verdict.exceeded is True and verdict.value == "b" and verdict.degraded
    assert found.words().endswith("b has had no good value for 20.0 s")


def test_a_restart_neither_ends_it_nor_raises_it_early() -> None:
    found = bench()
    found.after(1, a=1, b=1)
    found.after(1, b=None)
    found.after(5)
    found.restart()
    assert found.after(4) is False and found.after(1) is True
    found.restart(same_boot=False)
    assert found.held and found.judge().exceeded is True, "missing data do not end it"
    found.restart(same_boot=False)
    found.held = False
    assert found.after(9) is False and found.after(2) is True


@given(st.lists(st.tuples(st.floats(0.5, 20), st.sampled_from([1, None, "no sample"])), max_size=15))
def test_it_is_true_exactly_when_the_last_good_value_is_too_long_ago(story: list[tuple[float, object]]) -> None:
    found = Bench(kind="stale", inputs=["a"], after="10s")
    found.judge()
    good_s, has, raised = found.now.mono_s, False, False
    for seconds, what in story:
        found.clock.advance(seconds)
        good_s = found.now.mono_s if has else good_s
        if what != "no sample":
            found.judge()
            raised = raised or (not has and found.now.mono_s - good_s >= 10)
            has = what == 1
            found.set({"a": 1 if has else None})
            good_s = found.now.mono_s if has else good_s
        raised = not has and (raised or found.now.mono_s - good_s >= 10)
        assert found.judge().exceeded is raised
