"""Geometry, votes, tracks and zones, in virtual time."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.detection import Box, Detection, Person, Wearing
from models.geometry import distance, inside, iou, without_parts
from models.places import ZoneOptions
from models.scene import Judgement, Scene
from models.tracking import Tracker
from models.vocabulary import Gear
from models.voting import Ballot, Presence

WIDTH, HEIGHT = 640, 480
STEP_S = 0.2
sizes = st.floats(1, 300)
boxes = st.builds(lambda x, y, w, h: Box(x, y, x + w, y + h), st.floats(0, 600), st.floats(0, 400), sizes, sizes)


def person(x: float, feet: float = 300, helmet: Wearing = Wearing.MISSING, score: float = 0.9) -> Detection:
    """Return a person 150 pixels high whose feet stand at (x, feet)."""
    return Detection(Box(x - 25, feet - 150, x + 25, feet), score, gear={Gear.HELMET: helmet})


@given(boxes, boxes)
def test_iou_is_symmetric_and_a_share(a: Box, b: Box) -> None:
    assert math.isclose(iou(a, b), iou(b, a)) and 0 <= iou(a, b) <= 1
    assert math.isclose(iou(a, a), 1)
    assert distance(a, b) == distance(b, a) and distance(a, a) == 0


@given(st.floats(0.01, 0.99), st.floats(0.01, 0.99))
def test_a_point_is_in_exactly_one_half_of_the_picture(x: float, y: float) -> None:
    left = ((0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0))
    right = ((0.5, 0.0), (1.0, 0.0), (1.0, 1.0), (0.5, 1.0))
    assert inside((x, y), left) is not inside((x, y), right)


def test_a_notch_is_outside() -> None:
    notched = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.5, 0.2), (0.0, 1.0))
    assert inside((0.2, 0.3), notched) and not inside((0.5, 0.6), notched)


def test_an_upper_body_is_no_second_person() -> None:
    whole, bust = Person(Box(0, 0, 50, 150), 0.9), Person(Box(5, 2, 45, 60), 0.5)
    behind = Person(Box(20, -40, 60, 90), 0.6)
    assert without_parts([bust, whole, behind]) == [whole, behind]


def test_three_votes_in_two_seconds_judge_and_two_do_not() -> None:
    ballot = Ballot()
    verdicts = []
    for at_s in (0.0, 0.2, 0.4):
        ballot.cast(Wearing.MISSING, at_s)
        verdicts.append(ballot.verdict)
    assert verdicts == [Wearing.UNKNOWN, Wearing.UNKNOWN, Wearing.MISSING]


def test_votes_that_are_too_far_apart_judge_nothing() -> None:
    ballot = Ballot()
    for at_s in (0.0, 1.5, 3.1, 4.7):
        ballot.cast(Wearing.MISSING, at_s)
    assert ballot.verdict is Wearing.UNKNOWN


def test_a_verdict_stays_between_the_two_limits_and_leaves_below_the_lower() -> None:
    ballot = Ballot()
    for step in range(10):
        ballot.cast(Wearing.MISSING, step * STEP_S)
    verdicts = []
    for step in range(10, 30):
        ballot.cast(Wearing.WORN, step * STEP_S)
        verdicts.append(ballot.verdict)
    changed = verdicts.index(Wearing.WORN)
    # 15 votes in 3 s: missing while more than 4 of them say so.
    assert 6 <= changed <= 12 and set(verdicts[changed:]) == {Wearing.WORN}


@given(st.integers(1, 100))
def test_unknown_never_changes_a_verdict(count: int) -> None:
    ballot = Ballot()
    for step in range(3):
        ballot.cast(Wearing.MISSING, step * STEP_S)
    for step in range(3, 3 + count):
        ballot.cast(Wearing.UNKNOWN, step * STEP_S)
    assert ballot.verdict is Wearing.MISSING


@given(st.lists(st.sampled_from([Wearing.WORN, Wearing.UNKNOWN]), max_size=60))
def test_who_was_never_seen_bare_is_never_judged_bare(seen: list[Wearing]) -> None:
    ballot = Ballot()
    for step, wearing in enumerate(seen):
        ballot.cast(wearing, step * STEP_S)
        assert ballot.verdict is not Wearing.MISSING


@given(st.lists(st.booleans(), max_size=40))
def test_presence_needs_three_to_change(observed: list[bool]) -> None:
    presence, before = Presence(), False
    for index, where in enumerate(observed):
        presence.observe(where)
        if presence.inside != before:
            assert sum(observed[: index + 1]) >= 3 and where is presence.inside
        before = presence.inside


def test_a_walker_keeps_one_identity_through_a_gap() -> None:
    tracker = Tracker(0.5)
    for step in range(40):
        if step not in (10, 11, 12):
            tracker.update([person(50 + 12 * step)], step * STEP_S)
    assert [track.id for track in tracker.tracks] == [1]


def test_a_fast_walker_is_followed_by_distance() -> None:
    tracker = Tracker(0.5)
    for step in range(10):
        tracker.update([person(50 + 55 * step)], step * STEP_S)
    assert [track.id for track in tracker.tracks] == [1] and tracker.tracks[0].confirmed


@given(st.lists(st.tuples(st.integers(0, 5), st.floats(0.3, 1)), max_size=40))
def test_no_two_tracks_share_an_id_or_a_detection(seen: list[tuple[int, float]]) -> None:
    tracker = Tracker(0.5)
    for step, (count, score) in enumerate(seen):
        tracker.update([person(60 + 100 * i, score=score) for i in range(count)], step * STEP_S)
        ids = [track.id for track in tracker.tracks]
        assert len(set(ids)) == len(ids)
        assert sum(track.seen_s == step * STEP_S for track in tracker.tracks) <= count


def test_a_weak_detection_starts_nobody_but_keeps_somebody() -> None:
    tracker = Tracker(0.5)
    tracker.update([person(100, score=0.3)], 0.0)
    assert not tracker.tracks
    tracker.update([person(100)], 0.2)
    for step in range(2, 20):
        tracker.update([person(100, score=0.3)], step * STEP_S)
    assert len(tracker.tracks) == 1 and not tracker.tracks[0].confirmed


def test_after_a_long_gap_nobody_inherits_a_verdict() -> None:
    tracker = Tracker(0.5)
    for step in range(5):
        tracker.update([person(100)], step * STEP_S)
    tracker.update([person(100, helmet=Wearing.WORN)], 60.0)
    assert tracker.tracks[0].verdict(Gear.HELMET) is Wearing.UNKNOWN


HALVES = {
    "left": ZoneOptions(polygon=((0, 0), (0.5, 0), (0.5, 1), (0, 1)), demand=(Gear.HELMET,)),
    "right": ZoneOptions(polygon=((0.5, 0), (1, 0), (1, 1), (0.5, 1)), demand=(Gear.VEST,)),
}


def play(scene: Scene, pictures: list[list[Detection]], start: int = 0) -> Judgement:
    """Judge ``pictures`` at 5 per second and return the last judgement."""
    for step, detections in enumerate(pictures, start):
        judgement = scene.judge(detections, WIDTH, HEIGHT, step * STEP_S)
    return judgement


def test_a_zone_counts_what_it_demands() -> None:
    result = play(Scene(HALVES, 0.5), [[person(100), person(500)]] * 3)
    assert (result.zones["left"].persons, result.zones["left"].missing[Gear.HELMET]) == (1, 1)
    assert (
        result.zones["right"].persons,
        result.zones["right"].missing[Gear.HELMET],
        result.zones["right"].unknown_ppe,
    ) == (
        1,
        0,
        1,
    )
    assert (result.whole.persons, result.whole.missing[Gear.HELMET], result.whole.unknown_ppe) == (2, 1, 1)


def test_one_bad_picture_counts_nobody() -> None:
    pictures: list[list[Detection]] = [[person(100)], [], [], [person(400)], []]
    assert play(Scene(HALVES, 0.5), pictures).whole.persons == 0


def test_a_jump_into_a_zone_votes_nothing() -> None:
    scene = Scene(HALVES, 0.5)
    play(scene, [[person(100)]] * 5)
    assert play(scene, [[person(500)]] * 2, 5).zones["right"].persons == 0


def test_a_bare_head_for_one_picture_in_five_is_no_alarm() -> None:
    pictures = [[person(100, helmet=Wearing.MISSING if i % 5 == 0 else Wearing.WORN)] for i in range(50)]
    scene = Scene(HALVES, 0.5)
    assert all(play(scene, [picture], i).whole.missing[Gear.HELMET] == 0 for i, picture in enumerate(pictures))


def test_people_who_leave_are_gone_within_two_seconds() -> None:
    scene = Scene(HALVES, 0.5)
    assert play(scene, [[person(100)]] * 5).whole.missing[Gear.HELMET] == 1
    assert play(scene, [[]] * 9, 5).whole == play(Scene(HALVES, 0.5), [[]]).whole


@pytest.mark.parametrize("period_s", [0.2, 0.5, 1.05, 1.4])
def test_a_bare_head_is_found_at_any_pace_that_a_camera_may_have(period_s: float) -> None:
    ballot = Ballot()
    for index in range(6):
        ballot.cast(Wearing.MISSING, index * period_s)
    assert ballot.verdict is Wearing.MISSING
