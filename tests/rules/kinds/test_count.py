from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.rules.kinds.bench import Bench


def bench(**more: Any) -> Bench:
    fields = {"count": 3, "window": "60s", **more}
    return Bench(kind="count", inputs={"x": "a"}, when="x", **fields)


def pulse(found: Bench, seconds: float = 2) -> bool | None:
    found.after(seconds - 1, a=True)
    return found.after(1, a=False)


def test_so_many_edges_in_the_window() -> None:
    found = bench()
    found.after(1, a=False)
    assert [pulse(found) for _ in range(3)] == [None, None, True], "the window has not been seen whole"
    found = bench()
    found.after(1, a=False)
    found.after(60)
    assert [pulse(found) for _ in range(3)] == [False, False, True]


def test_edges_that_lie_too_far_apart_are_not_it() -> None:
    found = bench()
    found.after(1, a=False)
    assert not any(pulse(found, 31) for _ in range(20))


def test_what_stays_true_is_one_edge() -> None:
    found = bench()
    found.after(1, a=False)
    assert not found.after(1, a=True) and not found.after(300)


def test_it_ends_when_it_has_been_quiet_and_seen_to_be() -> None:
    found = bench(quiet="20s")
    found.after(1, a=False)
    while not pulse(found):
        pass
    assert found.after(17) is True
    found.after(1, a=None)
    assert found.after(30) is True, "what nobody saw was not quiet"
    assert found.after(1, a=False) is True
    assert found.after(19) is True
    assert found.after(1) is False
    assert not pulse(found) and not pulse(found), "it begins anew"
    assert pulse(found) is True


def test_a_gap_makes_not_enough_of_them_unknown() -> None:
    found = bench()
    found.after(1, a=False)
    found.after(100)
    assert pulse(found) is False
    found.after(1, a=None)
    assert found.after(1, a=False) is None
    assert found.after(59) is None and found.after(1) is False


def test_samples_count_though_they_say_the_same() -> None:
    found = bench(of="samples")
    found.after(1, a=True)
    found.after(30)
    assert not found.held, "a look each second is no sample"
    found.after(1, a=True)
    assert found.after(1, a=True) is True
    assert found.condition.counts and not bench().condition.counts


def test_it_survives_a_restart() -> None:
    found = bench()
    found.after(1, a=False)
    pulse(found), pulse(found)
    found.restart()
    assert pulse(found) is True
    other = bench()
    other.after(1, a=False)
    pulse(other), pulse(other)
    other.restart(same_boot=False)
    other.after(1, a=False)
    assert not pulse(other)


def test_it_remembers_no_more_than_it_needs() -> None:
    found = bench(count=5)
    found.after(1, a=False)
    for _ in range(100):
        pulse(found)
    assert len(found.memory.events) == 5


@given(st.lists(st.tuples(st.integers(1, 30), st.booleans()), max_size=40), st.integers(2, 4))
def test_against_counting_by_hand(story: list[tuple[int, bool]], count: int) -> None:
    found = bench(count=count, quiet="1000s")
    edges: list[float] = []
    last: bool | None = None
    for seconds, value in story:
        result = found.after(seconds, a=value)
        if value and last is False:
            edges.append(found.now.mono_s)
        last = value
        # it is held for ever here, so it is true from the first time that so many edges lay in one window
        so_far = any(edges[i + count - 1] - edges[i] < 60 for i in range(len(edges) - count + 1))
        assert (result is True) == so_far


def test_it_says_what_it_counts() -> None:
    found = bench()
    assert found.condition.describe() == "3 or more times x  [x=a] within 1min, until quiet for 1min"
    found.after(1, a=False)
    pulse(found)
    assert "1 of 3 within 1min" in found.words() and "has not been seen whole yet; another 58 s" in found.words()
    found.after(1, a=None)
    assert "not known now" in found.words()
