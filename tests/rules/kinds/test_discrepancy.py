from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from agent.core.model import Quality
from tests.rules.kinds.bench import Bench


def bench(**more: Any) -> Bench:
    """Return a valve that has been seen closed."""
    valve = Bench(kind="discrepancy", command="a", feedback="b", travel="5s", **more)
    valve.after(1, a=0, b=0)
    return valve


def test_it_has_the_time_to_get_there_and_no_more() -> None:
    valve = bench()
    assert valve.after(1, a=1) is False
    assert valve.after(4.5) is False
    assert valve.after(0.5) is True
    assert valve.after(1, b=1) is False


def test_what_moves_by_itself_is_one_at_once() -> None:
    valve = bench()
    assert valve.after(100, b=1) is True


def test_once_it_is_one_a_new_command_does_not_end_it() -> None:
    valve = bench(agree={0: "CLOSED", 1: "OPEN", 2: "HALF"})
    valve.after(1, a=1, b="CLOSED")
    assert valve.after(6) is True
    assert valve.after(1, a=2) is True
    assert valve.after(1, b="HALF") is False


def test_a_command_to_and_fro_buys_twice_the_time_at_most() -> None:
    valve = bench()
    assert [valve.after(2, a=1 + index % 2, b=0) for index in range(7)] == [False] * 5 + [True] * 2


def test_what_stood_apart_when_nobody_had_looked_is_unknown_until_the_time_is_over() -> None:
    valve = Bench(kind="discrepancy", command="a", feedback="b", travel="5s")
    assert valve.after(1, a=1, b=0) is None
    assert valve.after(4) is None
    assert valve.after(1) is True


def test_unknown_feedback_is_unknown_and_the_time_runs_on() -> None:
    valve = bench()
    assert valve.after(1, a=1, b=None) is None
    assert valve.after(10) is None
    assert valve.after(1, b=0) is True
    assert valve.after(1, Quality.UNCERTAIN, b=1) is None, "an uncertain agreement ends nothing"
    assert valve.after(1, b=1) is False


def test_a_map_where_they_are_named_differently() -> None:
    valve = bench(agree={1: ["OPEN", "OPENING"], 0: "CLOSED"})
    assert valve.after(1, a=1, b="OPENING") is False
    assert valve.after(1, a=7) is None, "of that command nobody knows what must follow"
    assert valve.after(1, a=0, b="OPEN") is False and valve.after(5) is True


def test_numbers_agree_within_the_tolerance_and_a_text_is_no_number() -> None:
    drive = bench(tolerance=2)
    assert drive.after(1, a=50, b=48.5) is False
    assert drive.after(1, b=40) is False and drive.after(5) is True
    assert drive.after(1, b="forty") is None


def test_it_survives_a_restart() -> None:
    valve = bench()
    valve.after(1, a=1)
    valve.restart()
    assert valve.after(4) is False and valve.after(1) is True
    valve.restart(same_boot=False)
    valve.held = False
    assert valve.after(1, a=1, b=0) is None, "nobody knows when it was commanded"
    assert valve.after(5) is True


@given(st.lists(st.tuples(st.sampled_from([0, 1, None]), st.sampled_from([0, 1, None]), st.integers(1, 8))))
def test_it_is_never_false_on_what_is_unknown_and_never_true_while_they_agree(
    story: list[tuple[int | None, int | None, int]],
) -> None:
    valve = Bench(kind="discrepancy", command="a", feedback="b", travel="5s")
    for command, feedback, seconds in story:
        found = valve.after(seconds, a=command, b=feedback)
        if command is None or feedback is None:
            assert found is None
        elif command == feedback:
            assert found is False


def test_it_says_where_it_stands() -> None:
    valve = bench()
    assert valve.condition.describe() == "b does not follow a within 5s"
    assert valve.words().endswith("they agree")
    valve.after(1, a=1)
    assert valve.words().endswith("they do not agree; there is time for another 5.0 s")
    valve.after(6)
    assert valve.words().endswith("they do not agree")
    valve.after(1, b=None)
    assert valve.words().endswith("nobody can tell whether they agree")
