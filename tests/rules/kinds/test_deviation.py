from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.model import Quality
from tests.rules.kinds.bench import Bench

BASE: dict[str, Any] = {"kind": "deviation", "input": "a", "reference": "b"}


@pytest.mark.parametrize(
    ("side", "a", "expected"),
    [("either", 16, True), ("either", 4, True), ("above", 16, True), ("above", 4, False), ("below", 4, True),
     ("below", 16, False), ("either", 14, False)],
)  # fmt: skip
def test_it_looks_to_the_side_that_it_is_told(side: str, a: float, expected: bool) -> None:
    assert Bench(**BASE, at=5, side=side).after(1, a=a, b=10) is expected


def test_percent_of_the_reference_or_of_a_span() -> None:
    assert Bench(**BASE, at=10, percent_of="reference").after(1, a=112, b=100)
    assert not Bench(**BASE, at=10, percent_of="reference").after(1, a=1012, b=1000)
    assert Bench(**BASE, at=10, percent_of=[-100, 300]).after(1, a=1040, b=1000)
    assert Bench(**BASE, at=10, percent_of=[-100, 300]).after(1, a=1039, b=1000) is False


def test_percent_of_nothing_is_unknown_unless_a_least_is_given() -> None:
    assert Bench(**BASE, at=10, percent_of="reference").after(1, a=0.1, b=0) is None
    bench = Bench(**BASE, at=10, percent_of="reference", at_least=0.5)
    assert bench.after(1, a=0.1, b=0) is False and bench.after(1, a=0.6, b=0) is True


def test_it_holds_within_the_deadband() -> None:
    bench = Bench(**BASE, at=5, deadband=2)
    assert [bench.after(1, a=a, b=0) for a in (5, 3.1, 2.9, 4.9)] == [True, True, False, False]


def test_one_unknown_side_makes_it_unknown_and_an_uncertain_one_never_ends_it() -> None:
    bench = Bench(**BASE, at=5)
    assert bench.after(1, a=10, b=None) is None and bench.after(1, a=None, b=0) is None
    bench.set({"b": 0})
    assert bench.after(1, Quality.UNCERTAIN, a=10) is True and bench.after(1, Quality.UNCERTAIN, a=0) is None


@given(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6), st.floats(0.1, 100))
def test_either_is_above_or_below(a: float, b: float, at: float) -> None:
    found = {side: Bench(**BASE, at=at, side=side).after(1, a=a, b=b) for side in ("either", "above", "below")}
    assert found["either"] == (found["above"] or found["below"])
    assert not (found["above"] and found["below"])


def test_it_says_what_it_does() -> None:
    bench = Bench(**BASE, at=5, percent_of="reference", side="below")
    bench.after(1, a=90, b=100)
    assert bench.condition.describe() == "a 5 % or more below b"
    assert bench.words().endswith("deviation -10, limit 5")
