"""Nobody seen is no news before somebody could have been seen."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from models.detection import Box, Detection, Wearing
from models.options import ZoneOptions
from models.scene import Scene
from models.settling import LOOKS, SETTLED_S, Settling
from models.tracking import LOST_S
from models.vocabulary import Gear

ZONE = ZoneOptions.model_validate({"polygon": [[0, 0], [1, 0], [1, 1], [0, 1]], "demand": ["helmet"]})
BARE = Detection(Box(100, 100, 150, 250), 0.9, gear={Gear.HELMET: Wearing.MISSING})


@given(period_s=st.floats(0.04, 1.0))
def test_a_bare_head_is_told_with_the_first_facts_that_count(period_s: float) -> None:
    """Also right after a start: else an active alarm would clear."""
    scene, settling = Scene({"all": ZONE}, 0.5), Settling()
    for index in range(200):
        now_s = 1000 + index * period_s
        judgement = scene.judge([BARE], 640, 360, now_s)
        if not settling.look(now_s):
            assert judgement.whole.missing[Gear.HELMET] == 1
            assert index >= LOOKS - 1
            return
    raise AssertionError("the facts never count")


@given(gap_s=st.floats(LOST_S + 0.01, 1e6))
def test_after_a_gap_it_begins_anew(gap_s: float) -> None:
    settling = Settling()
    for index in range(20):
        why = settling.look(index * 0.5)
    assert why == ""
    assert settling.look(9.5 + gap_s) != ""


def test_a_short_gap_changes_nothing() -> None:
    settling = Settling()
    for index in range(20):
        settling.look(index * 0.5)
    assert settling.look(9.5 + LOST_S) == ""


def test_pictures_that_come_too_seldom_to_follow_anybody_never_count() -> None:
    settling = Settling()
    assert all(settling.look(index * (LOST_S + 0.1)) for index in range(100))


def test_it_says_what_it_waits_for() -> None:
    assert Settling().look(5.0) == f"it has looked for 0.0 s without a gap; people are told of after {SETTLED_S:g} s"
