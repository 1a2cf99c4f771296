"""The figures, with no clock but the test's."""

from __future__ import annotations

import sys
from typing import cast

from hypothesis import given, settings
from hypothesis import strategies as st

from agent.core.model import Action, Priority
from agent.kpi import DAY_S, HOUR_S, Kpi, Note, says_false

P1, P3 = Priority.P1, Priority.P3


def raised(at_s: float, alarm: str = "a", priority: Priority = P3, calls: bool = True) -> Note:
    return Note(at_s, Action.RAISED, alarm, priority, calls)


def acknowledged(at_s: float, alarm: str = "a", priority: Priority = P3) -> Note:
    return Note(at_s, Action.ACKNOWLEDGED, alarm, priority, False)


def test_rates_and_the_top_ten() -> None:
    kpi = Kpi(0.0)
    for number in range(12):
        kpi.note(raised(number, "often"))
    for number in range(30):
        kpi.note(raised(1200.0 + number * 600, f"once{number}", P1))
    found = kpi.figures("24h", 6 * HOUR_S)
    assert (found["raised"], found["observed_s"]) == (42, 21_600)
    assert found["per_10min_average"] == round(42 / 36, 2) and found["per_10min_peak"] == 12
    assert found["top"][0] == {"alarm": "often", "raised": 12, "share": 0.2857} and len(found["top"]) == 10
    assert found["by_priority"]["P1"]["raised"] == 30 and found["by_priority"]["P1"]["share"] == 0.7143


def test_a_short_life_is_not_a_high_rate() -> None:
    kpi = Kpi(0.0)
    kpi.note(raised(1.0))
    assert kpi.figures("24h", 2.0)["per_10min_average"] == 1.0
    assert Kpi(5.0).figures("30d", 5.0)["raised"] == 0


def test_the_time_to_acknowledge_by_priority() -> None:
    kpi = Kpi(0.0)
    for number in range(10):
        kpi.note(raised(1000.0 * number, "a", P1))
        kpi.note(acknowledged(1000.0 * number + 10 * (number + 1), "a", P1))
    kpi.note(raised(20_000.0, "b"))
    kpi.note(acknowledged(20_500.0, "b"))
    found = kpi.figures("24h", 30_000.0)
    answers = found["by_priority"]["P1"]["acknowledge"]
    assert answers["count"] == 10
    assert answers["median_s"] is not None and abs(answers["median_s"] - 50) < 3
    assert answers["p90_s"] is not None and abs(answers["p90_s"] - 90) < 5
    assert found["by_priority"]["P2"]["acknowledge"] == {"count": 0, "median_s": None, "p90_s": None}
    assert found["acknowledge"]["count"] == 11


def test_an_answer_counts_once_and_to_its_own_call() -> None:
    kpi = Kpi(0.0)
    kpi.note(raised(0.0))
    kpi.note(acknowledged(10.0))
    kpi.note(acknowledged(50.0))
    kpi.note(raised(60.0))
    kpi.note(Note(70.0, Action.SUPERSEDED, "a", P3, False))
    kpi.note(acknowledged(80.0))
    assert kpi.figures("24h", 100.0)["acknowledge"]["count"] == 1


def test_what_called_nobody_is_no_load() -> None:
    kpi = Kpi(0.0)
    kpi.note(raised(1.0, calls=False))
    assert kpi.figures("24h", 10.0)["raised"] == 0


def test_time_in_flood() -> None:
    kpi = Kpi(0.0)
    for second in range(0, 7201, 1):
        kpi.passes(float(second), 1800 < second <= 5400)
    found = kpi.figures("24h", 7200.0)
    assert (found["flood_s"], found["flood_share"]) == (3600, 0.5)


def test_a_day_ends_and_a_month_goes_on() -> None:
    kpi = Kpi(0.0)
    kpi.note(raised(0.0))
    kpi.note(raised(3 * DAY_S))
    assert kpi.figures("24h", 3 * DAY_S)["raised"] == 1
    assert kpi.figures("30d", 3 * DAY_S)["raised"] == 2
    assert kpi.figures("30d", 40 * DAY_S)["raised"] == 0


def test_the_past_before_the_start_counts() -> None:
    kpi = Kpi(100.0)
    kpi.note(raised(100.0 - 2 * DAY_S))
    kpi.note(raised(100.0 - 40 * DAY_S))
    found = kpi.figures("30d", 100.0)
    assert found["raised"] == 1 and found["observed_s"] == 30 * DAY_S


@settings(max_examples=50)
@given(st.lists(st.tuples(st.floats(0, 50 * DAY_S), st.integers(0, 5000)), max_size=200))
def test_memory_is_bounded_and_figures_are_figures(events: list[tuple[float, int]]) -> None:
    kpi = Kpi(0.0)
    for moment_s, number in events:
        kpi.note(raised(moment_s, f"a{number}"))
        kpi.note(acknowledged(moment_s + 5, f"a{number}"))
    found = kpi.figures("30d", 50 * DAY_S)
    assert 0 <= found["top_share"] <= 1 and found["raised"] <= len(events)
    assert found["acknowledge"]["count"] <= found["raised"] + 1


def test_two_months_of_many_alarms_stay_small() -> None:
    kpi = Kpi(0.0)
    for number in range(200_000):
        kpi.note(raised(number * 26.0, f"alarm{number % 3000}"))
        kpi.note(acknowledged(number * 26.0 + number % 900, f"alarm{number % 3000}"))
    assert _size(kpi) < 20_000_000
    assert kpi.figures("30d", 200_000 * 26.0)["raised"] > 90_000


def _size(what: object, seen: set[int] | None = None) -> int:
    seen = seen if seen is not None else set()
    if id(what) in seen:
        return 0
    seen.add(id(what))
    parts: list[object] = []
    if isinstance(what, dict):
        parts = [*what.keys(), *what.values()]
    elif isinstance(what, list | tuple):
        parts = list(cast("list[object]", what))
    names = getattr(type(what), "__slots__", None) or getattr(what, "__dict__", {})
    parts += [getattr(what, name) for name in names if hasattr(what, name)] if not isinstance(what, dict) else []
    return sys.getsizeof(what) + sum(_size(part, seen) for part in parts)


def test_what_people_say_is_false_is_counted() -> None:
    assert says_false("False alarm, sensor is checked") and says_false(" 误报，检查传感器")
    assert not says_false("not a false alarm") and not says_false("")
    kpi = Kpi(0.0)
    for number in range(4):
        kpi.note(raised(number * 60.0, "door"))
        kpi.note(acknowledged(number * 60.0 + 5, "door")._replace(is_false=number % 2 == 0))
    found = kpi.figures("24h", HOUR_S)
    assert found["false"] == [{"alarm": "door", "said": 2}] and found["false_share"] == 0.5
