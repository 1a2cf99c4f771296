"""Nobody seen is no news before somebody could have been seen, and nobody is known to wear what cannot be judged."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from models.detection import Box, Detection, Wearing
from models.places import ZoneOptions
from models.rhythm import LOST_S, Rhythm
from models.scene import Judgement, Scene
from models.settling import LOOKS, SETTLED_S, why_unsettled
from models.vocabulary import Gear

ZONE = ZoneOptions.model_validate({"polygon": [[0, 0], [1, 0], [1, 1], [0, 1]], "demand": ["helmet"]})
LEFT = ZoneOptions.model_validate({"polygon": [[0, 0], [0.5, 0], [0.5, 1], [0, 1]], "demand": ["helmet", "vest"]})
HELMETS = ("no_helmet", "all.no_helmet")


def person(helmet: Wearing, x: float = 100) -> Detection:
    return Detection(Box(x, 100, x + 50, 250), 0.9, gear={Gear.HELMET: helmet})


BARE, HATTED, VAGUE = person(Wearing.MISSING), person(Wearing.WORN), person(Wearing.UNKNOWN)


def look_often(scene: Scene, found: list[Detection], since_s: float = 1000.0, for_s: float = 6.0) -> Judgement:
    for step in range(int(for_s * 5)):
        judgement = scene.judge(found, 640, 360, since_s + step / 5)
    assert judgement.unsettled == ""
    return judgement


@given(period_s=st.floats(0.04, 1.0))
def test_a_bare_head_is_told_with_the_first_facts_that_count(period_s: float) -> None:
    """Also right after a start: else an active alarm would clear."""
    scene = Scene({"all": ZONE}, 0.5)
    for index in range(200):
        judgement = scene.judge([BARE], 640, 360, 1000 + index * period_s)
        if not judgement.unsettled:
            assert judgement.whole.missing[Gear.HELMET] == 1
            assert index >= LOOKS - 1
            return
    raise AssertionError("the facts never count")


@given(period_s=st.floats(0.04, 1.0), heads=st.lists(st.sampled_from((BARE, VAGUE)), min_size=60, max_size=60))
def test_who_was_bare_before_a_start_never_counts_as_helmeted_after_it(period_s: float, heads: list[Detection]) -> None:
    """Whatever can be seen of it now: each fact counts it, does not count yet, or is unsure, which clears nothing."""
    scene = Scene({"all": ZONE}, 0.5)
    for index, head in enumerate(heads):
        judgement = scene.judge([head], 640, 360, 1000 + index * period_s)
        told = judgement.whole.missing[Gear.HELMET] or judgement.unsettled
        assert told or {*HELMETS} <= {*judgement.unsure}


def test_who_cannot_be_judged_makes_only_its_own_zone_unsure() -> None:
    judgement = look_often(Scene({"all": ZONE, "left": LEFT}, 0.5), [person(Wearing.UNKNOWN, x=400)])
    assert set(judgement.unsure) == {*HELMETS}


def test_each_demanded_piece_that_was_never_judged_is_unsure() -> None:
    judgement = look_often(Scene({"all": ZONE, "left": LEFT}, 0.5), [HATTED])
    assert set(judgement.unsure) == {"no_vest", "left.no_vest"}


def test_one_who_is_known_to_be_bare_is_told_though_another_is_not_known() -> None:
    judgement = look_often(Scene({"all": ZONE}, 0.5), [BARE, person(Wearing.UNKNOWN, x=400)])
    assert judgement.whole.missing[Gear.HELMET] == 1


def test_it_is_sure_once_everybody_is_judged_or_gone() -> None:
    scene = Scene({"all": ZONE}, 0.5)
    assert look_often(scene, [VAGUE]).unsure
    assert not look_often(scene, [HATTED], 1006.0).unsure
    assert look_often(scene, [HATTED, person(Wearing.UNKNOWN, x=400)], 1012.0).unsure
    assert not look_often(scene, [HATTED], 1018.0).unsure


@given(gap_s=st.floats(LOST_S + 0.01, 1e6))
def test_after_a_gap_it_begins_anew(gap_s: float) -> None:
    rhythm = pictures(20, 0.5)
    assert why_unsettled(rhythm) == ""
    rhythm.step(9.5 + gap_s)
    assert why_unsettled(rhythm) != ""


def test_a_short_gap_changes_nothing() -> None:
    rhythm = pictures(20, 0.5)
    rhythm.step(9.5 + LOST_S - 0.01)
    assert why_unsettled(rhythm) == ""


def pictures(count: int, every_s: float) -> Rhythm:
    rhythm = Rhythm()
    for index in range(count):
        rhythm.step(index * every_s)
    return rhythm


def test_after_one_picture_it_says_what_it_waits_for() -> None:
    assert why_unsettled(pictures(1, 1.0)) == (
        f"it has looked for 0.0 s without a gap; people are told of after {SETTLED_S:g} s"
    )
