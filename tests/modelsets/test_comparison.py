"""Two models on one camera: what counts as alike, and which pictures are kept."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from agent.app.modelsets.comparison import APART_S, LAG_S, MOST_SAMPLES, Comparison
from agent.app.modelsets.store import PICTURES_KEPT_S, ModelStore
from models.wire import Report


def report(taken_s: float, persons: float, bare: float = 0, took_ms: float = 30, blind: str = "") -> Report:
    return Report(blind, 5, taken_s, {"persons": persons, "no_helmet": bare, "unknown_ppe": 7}, took_ms=took_ms)


def compared(at_work: list[tuple[float, float]], shadow: list[tuple[float, float]]) -> Comparison:
    """Play both in the order of their times; a last report of the model at work settles what waits."""
    found = Comparison()
    for at_s, persons, is_shadow in sorted([(*each, False) for each in at_work] + [(*each, True) for each in shadow]):
        if is_shadow:
            found.shadow(report(at_s, persons, took_ms=20), f"at {at_s:g}", (b"left", b"right"))
        else:
            found.at_work(report(at_s, persons))
    found.at_work(report(max([at_s for at_s, _ in at_work + shadow], default=0) + LAG_S, 0))
    return found


def test_who_is_told_of_a_little_later_is_the_same() -> None:
    steps = [(at * 0.2, float(at >= 50)) for at in range(100)]
    late = [(at * 0.5, float(at >= 24)) for at in range(40)]  # two seconds later
    row = compared(steps, late).row()
    assert row["agreement_percent"] == 100 and row["pictures"] == 40 and row["differences"] == []
    assert row["facts"]["persons"] == {"at_work": 0.5, "shadow": 0.4, "agreement_percent": 100}
    assert row["took_ms"] == {"at_work": 30, "shadow": 20} and "unknown_ppe" not in row["facts"]


def test_who_is_missed_for_longer_is_not() -> None:
    row = compared([(at * 0.2, 2.0) for at in range(100)], [(at * 0.5, 2.0 - (at >= 20)) for at in range(40)]).row()
    assert row["agreement_percent"] == 50 and row["facts"]["no_helmet"]["agreement_percent"] == 100
    (worst, *_) = row["differences"]
    assert (worst["at"], worst["by"]) == ("at 10", 1.0)
    assert worst["at_work"] == {"persons": 2.0, "no_helmet": 0} and worst["shadow"] == {"persons": 1.0, "no_helmet": 0}


def test_nothing_is_compared_while_one_of_both_is_blind() -> None:
    found = Comparison()
    for at in range(100):
        found.at_work(report(at * 0.2, 1, blind="the picture is black" if at >= 20 else ""))
        found.shadow(report(at * 0.2, 0, blind="the picture is black" if at < 20 else ""), "")
    row = found.row()
    assert row["pictures"] < LAG_S * 5 + 1 and Comparison().row()["agreement_percent"] is None


counts = st.lists(st.tuples(st.floats(0, 200), st.integers(0, 5).map(float)), max_size=60)


@given(counts, counts)
def test_the_worst_pictures_are_few_apart_and_sorted(
    at_work: list[tuple[float, float]], shadow: list[tuple[float, float]]
) -> None:
    found = compared(at_work, shadow)
    by = [each.by for each in found.differences]
    at_s = sorted(each.look.taken_s for each in found.differences)
    assert len(by) <= MOST_SAMPLES and by == sorted(by, reverse=True) and all(each > 0 for each in by)
    assert all(b - a >= APART_S for a, b in pairwise(at_s))
    assert found.agreed + bool(by) <= found.pictures <= len(shadow)
    assert all(0 <= pair.agreed <= pair.pictures for pair in found.facts.values())


def test_pictures_of_people_are_deleted_after_a_month_and_the_figures_stay(tmp_path: Path) -> None:
    store = ModelStore(tmp_path)
    kept = store.keep_comparison({"camera": "gate", "pictures": 7}, {"1-shadow.jpg": b"jpeg"})
    written_s = Path(kept["pictures_kept"][0]).stat().st_mtime
    store.expire_pictures(written_s + PICTURES_KEPT_S - 1)
    assert store.comparison("gate") == kept
    store.expire_pictures(written_s + PICTURES_KEPT_S + 1)
    assert store.comparison("gate") == {**kept, "pictures_kept": []} and not Path(kept["pictures_kept"][0]).exists()
