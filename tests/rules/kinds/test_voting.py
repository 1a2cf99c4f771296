from __future__ import annotations

from itertools import product
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from agent.core.model import Quality, Value
from tests.rules.kinds.bench import Bench

NAMES = ("a", "b", "c", "d", "e")


def bench(number: int, needed: int, **more: Any) -> Bench:
    how = more or {"above": 20}
    return Bench(kind="voting", inputs=list(NAMES[:number]), needed=needed, **how)


@given(st.lists(st.sampled_from([10.0, 30.0, None]), min_size=2, max_size=5), st.integers(1, 5))
def test_it_is_what_every_completion_of_the_unknown_would_say(values: list[float | None], needed: int) -> None:
    needed = min(needed, len(values))
    completions = product(*([value] if value is not None else [10.0, 30.0] for value in values))
    possible = {sum(value >= 20 for value in each) >= needed for each in completions}
    found = bench(len(values), needed)
    assert found.after(1, Quality.GOOD, **dict(zip(NAMES, values, strict=False))) is (
        possible.pop() if len(possible) == 1 else None
    )


def test_each_has_a_deadband_of_its_own() -> None:
    found = bench(2, 1, above=20, deadband=5)
    assert found.after(1, a=16, b=16) is False
    assert found.after(1, a=20) is True and found.after(1, a=16) is True
    assert found.after(1, a=None) is None
    found.restart()
    assert found.after(1, a=16) is True, "it remembers through a gap and a restart"
    assert found.after(1, a=14) is False


def test_below_and_states() -> None:
    assert bench(2, 2, below=5).after(1, a=5, b=4) is True
    states = bench(3, 2, is_one_of=["TRIP", "FAULT"])
    assert states.after(1, a="TRIP", b="OK", c="FAULT") is True
    assert states.after(1, a="OK") is False and states.after(1, a=3) is None, "a number is no state here"


def test_an_uncertain_value_votes_for_it_and_never_against() -> None:
    found = bench(3, 2)
    found.after(1, b=30, c=10)
    assert found.after(1, Quality.UNCERTAIN, a=30) is True and found.judge().degraded
    assert found.after(1, Quality.UNCERTAIN, a=10) is None
    assert found.after(1, a=10) is False


@given(st.lists(st.tuples(st.sampled_from(NAMES[:3]), st.sampled_from([5, 18, 25, None])), max_size=20))
def test_one_that_fails_is_never_the_reason(story: list[tuple[str, Value]]) -> None:
    found = bench(3, 2, above=20, deadband=4)
    before: bool | None = None
    for name, value in story:
        after = found.after(1, Quality.GOOD, **{name: value})
        if value is None:
            assert after is None or after is before
        before = after


def test_it_says_how_they_vote() -> None:
    found = bench(3, 2)
    found.after(1, a=30, b=10)
    assert found.condition.describe() == "2 of 3 (a, b, c) at or above 20 u"
    assert found.words().endswith("1 for it, 1 against, 1 unknown; 2 are needed")
