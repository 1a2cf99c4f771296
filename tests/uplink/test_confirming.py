"""A centre that stops confirming is told; what nobody can know neither raises nor clears."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from agent.uplink.confirming import Confirming

LIMIT_S = 600.0


def test_a_mark_that_stands_still_while_events_wait_is_told_and_one_that_moves_ends_it() -> None:
    centre = Confirming(LIMIT_S)
    assert centre.look({"alarm": (0, 5)}, True, 0.0) is True
    assert centre.look({"alarm": (2, 5)}, True, 10.0) is True, "they wait a moment"
    assert centre.look({"alarm": (3, 5)}, True, 10.0 + LIMIT_S) is False
    assert centre.look({"alarm": (1, 7)}, True, 1000.0) is True
    assert centre.look({"alarm": (1, 7)}, True, 1000.0 + LIMIT_S) is True
    assert centre.look({"alarm": (0, 8)}, True, 9000.0) is True, "nothing waited meanwhile"


def test_one_lane_that_stands_still_is_enough() -> None:
    centre = Confirming(LIMIT_S)
    verdicts = [centre.look({"alarm": (1, 5), "state": (9, 100 + now)}, True, float(now)) for now in range(0, 700, 10)]
    assert verdicts[-1] is False and True not in verdicts


def test_after_a_start_nothing_is_known_until_it_moves_or_is_late() -> None:
    """Else a restart would clear the alarm of a centre that is still silent."""
    centre = Confirming(LIMIT_S)
    assert centre.look(None, True, 0.0) is None, "the journal is not open yet"
    assert centre.look({"alarm": (4, 5)}, True, 1.0) is None
    assert centre.look({"alarm": (4, 5)}, True, 500.0) is None
    assert centre.look({"alarm": (4, 5)}, True, 602.0) is False


def test_without_a_connection_nothing_is_known_and_no_time_passes() -> None:
    centre = Confirming(LIMIT_S)
    assert centre.look({"alarm": (4, 5)}, True, 0.0) is None
    assert centre.look({"alarm": (4, 5)}, False, 300.0) is None
    assert centre.look({"alarm": (4, 5)}, False, 9000.0) is None
    assert centre.look({"alarm": (4, 5)}, True, 9001.0) is None, "its waiting counts from here again"
    assert centre.look({"alarm": (4, 5)}, True, 9001.0 + LIMIT_S - 10.0) is None
    assert centre.look({"alarm": (4, 5)}, True, 9001.0 + LIMIT_S + 1.0) is False
    assert centre.look({"alarm": (4, 5)}, False, 9900.0) is None, "and it is not taken back"
    assert centre.look({"alarm": (4, 5)}, True, 9901.0) is False


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2), st.booleans(), st.booleans()), max_size=40))
def test_it_is_false_only_after_the_whole_time_and_ends_only_by_a_mark_that_moves(
    looks: list[tuple[int, int, bool, bool]],
) -> None:
    """Waiting, steps of the mark, connected, journal known: each 100 s."""
    centre, stored, still_s, before = Confirming(LIMIT_S), 0, 0.0, True
    for number, (waiting, more, online, known) in enumerate(looks):
        stored += more if known else 0
        verdict = centre.look({"alarm": (waiting, stored)} if known else None, online, number * 100.0)
        moved = known and (waiting == 0 or more > 0)
        still_s = 0.0 if moved else still_s + 100.0
        assert verdict is not False or still_s > LIMIT_S
        if before is False and verdict is True:
            assert moved
        before = verdict if verdict is not None else before
