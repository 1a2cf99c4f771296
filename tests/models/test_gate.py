"""A still picture is not looked at anew, and nobody is missed for it."""

from __future__ import annotations

from functools import cache

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from models.detection import Box, Detection, Offer, Wearing
from models.gate import CALM_S, CHANGED, FORCED_S, Gate, Look, Picture, cells_of, may_gate
from models.places import ZoneOptions
from models.rhythm import LOST_S
from models.scene import Scene
from models.vitals import Vitals
from models.vocabulary import Gear, Thing
from models.wire import Report

SURE = 0.45
SIZE = (360, 640)
GREY = np.full((45, 80, 3), 90, np.uint8)
PERSON = Detection(Box(100, 100, 140, 220), 0.9, gear={Gear.HELMET: Wearing.WORN})
ANYWHERE = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0))
steps = st.lists(st.floats(0.03, 1.2), min_size=30, max_size=80)


def shut(found: list[Detection] | None = None, step_s: float = 0.2) -> tuple[Gate, float]:
    """Return a gate that has just shut, and when its last look was."""
    gate, now_s = Gate(SURE), 100.0
    for _ in range(60):
        if gate.stands_for(GREY, SIZE, now_s):
            return gate, now_s - step_s
        gate.looked(Look(GREY, SIZE, now_s, found or []), True)
        now_s += step_s
    raise AssertionError("it never shuts")


@settings(max_examples=40, deadline=None)
@given(steps)
def test_a_still_scene_is_looked_at_each_second(passed: list[float]) -> None:
    """Pictures may come as they like, but for one that comes much later than the one before."""
    gate, now_s, looked_s = Gate(SURE), 0.0, 0.0
    before_s = 0.2
    for step_s in passed:
        now_s += min(step_s, before_s)
        before_s = min(step_s, 2 * before_s)
        if gate.stands_for(GREY, SIZE, now_s) is None:
            gate.looked(Look(GREY, SIZE, now_s, []), True)
            looked_s = now_s
        assert now_s - looked_s <= FORCED_S + 1e-6 < LOST_S


@settings(max_examples=40, deadline=None)
@given(st.floats(0.05, 0.5))
def test_it_shuts_once_looks_have_agreed_for_two_seconds(step_s: float) -> None:
    _, looked_s = shut([PERSON], step_s)
    assert CALM_S - 1e-3 <= looked_s - 100.0 <= CALM_S + 3 * step_s


@settings(max_examples=20, deadline=None)
@given(st.floats(0, SURE - 0.1001) | st.floats(SURE + 0.1001, 1))
def test_who_is_surely_there_or_surely_not_may_stand_still(score: float) -> None:
    shut([Detection(PERSON.box, score)])


@settings(max_examples=30, deadline=None)
@given(st.floats(SURE - 0.0999, SURE + 0.0999))
def test_who_is_found_in_doubt_is_looked_at_in_each_picture_for_ten_seconds(score: float) -> None:
    gate = Gate(SURE)
    for number in range(50):
        assert gate.stands_for(GREY, SIZE, number / 5) is None
        gate.looked(Look(GREY, SIZE, number / 5, [Detection(PERSON.box, score)]), True)


OTHERS = [
    [],
    [PERSON, PERSON],
    [Detection(PERSON.box.moved(15, 0), 0.9, gear=PERSON.gear)],
    [Detection(PERSON.box, 0.9, gear={Gear.HELMET: Wearing.UNKNOWN})],
    [Detection(PERSON.box, 0.3, gear=PERSON.gear)],
    [PERSON, Detection(Box(300, 100, 500, 220), 0.9, Thing.VEHICLE)],
]


@given(st.sampled_from(OTHERS))
def test_a_forced_look_that_finds_something_else_opens_it_for_two_seconds(found: list[Detection]) -> None:
    gate, looked_s = shut([PERSON])
    gate.looked(Look(GREY, SIZE, looked_s + 1.0, found), True)
    for number in range(1, 10):
        now_s = looked_s + 1.0 + number / 5
        assert gate.stands_for(GREY, SIZE, now_s) is None
        gate.looked(Look(GREY, SIZE, now_s, found), True)


def test_it_stays_open_while_the_scene_waits_for_something() -> None:
    gate = Gate(SURE)
    for number in range(100):
        assert gate.stands_for(GREY, SIZE, number / 5) is None
        gate.looked(Look(GREY, SIZE, number / 5, [PERSON]), False)


def test_it_begins_anew_when_it_is_told_to_or_the_picture_has_another_size() -> None:
    gate, looked_s = shut()
    assert gate.stands_for(GREY, (720, 1280), looked_s + 0.2) is None
    gate, looked_s = shut()
    gate.forget()
    for number in range(1, 10):
        assert gate.stands_for(GREY, SIZE, looked_s + number / 5) is None
        gate.looked(Look(GREY, SIZE, looked_s + number / 5, []), True)


def test_changes_too_small_for_one_picture_add_up() -> None:
    gate, looked_s = shut()
    assert gate.stands_for(GREY + np.uint8(CHANGED - 1), SIZE, looked_s + 0.2)
    assert gate.stands_for(GREY + np.uint8(CHANGED), SIZE, looked_s + 0.4) is None


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 627), st.integers(0, 320), st.sampled_from([(0, 0, 40), (40, 0, 0), (25, 25, 25)]))
def test_a_small_person_is_seen_in_the_very_picture_in_which_it_comes(
    x: int, y: int, brighter: tuple[int, int, int]
) -> None:
    """40 pixels high and 13 wide, in clothes hardly brighter than the ground or only of another colour; with noise."""
    before, still, after = (ground.copy() for ground in noisy_grounds())
    after[y : y + 40, x : x + 13] += np.array(brighter, np.uint8)
    gate, looked_s = shut()
    gate.looked(Look(cells_of(before), SIZE, looked_s + 0.2, []), True)
    assert gate.stands_for(cells_of(still), SIZE, looked_s + 0.4)
    assert gate.stands_for(cells_of(after), SIZE, looked_s + 0.6) is None


@cache
def noisy_grounds() -> list[Picture]:
    noise = np.random.default_rng(1)
    return [noise.normal(110, 4, (*SIZE, 3)).astype(np.uint8) for _ in range(3)]


def test_what_need_not_move_is_never_gated() -> None:
    people, vehicles = Offer(), Offer(things=frozenset((Thing.PERSON, Thing.VEHICLE)))
    walkway = ZoneOptions(polygon=ANYWHERE)
    assert may_gate(people, [walkway])
    assert may_gate(vehicles, [walkway])
    assert not may_gate(Offer(things=frozenset((Thing.PERSON, Thing.SMOKE))), [walkway])
    assert not may_gate(people, [walkway, ZoneOptions(polygon=ANYWHERE, post=True)])
    assert not may_gate(people, [ZoneOptions(polygon=ANYWHERE, still_after="10s")])


def seen_for(seconds: float, found: list[Detection], fps: float = 5.0) -> Scene:
    """Return a scene of one walkway that demands a helmet, after so long with these before it."""
    zone = ZoneOptions(polygon=((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)), demand=(Gear.HELMET,))
    scene = Scene({"walkway": zone}, SURE)
    for number in range(int(seconds * fps) + 1):
        scene.judge(found, SIZE[1], SIZE[0], number / fps)
    return scene


def test_a_scene_is_calm_once_votes_on_all_it_knows_agree() -> None:
    assert seen_for(0, []).is_calm
    assert not seen_for(0.2, [PERSON]).is_calm  # not believed yet
    assert seen_for(1, [PERSON]).is_calm
    assert not seen_for(9, [Detection(PERSON.box, 0.9)]).is_calm  # whether a helmet is worn is not known
    assert not seen_for(9, [Detection(PERSON.box, 0.9, gear={Gear.HELMET: Wearing.UNKNOWN})]).is_calm
    assert not seen_for(0.2, [Detection(PERSON.box, 0.9, Thing.VEHICLE)]).is_calm
    assert seen_for(3, [Detection(PERSON.box, 0.9, Thing.VEHICLE)]).is_calm


def test_a_scene_is_not_calm_while_somebody_is_missed_or_a_vote_differs() -> None:
    bare = Detection(PERSON.box, 0.9, gear={Gear.HELMET: Wearing.MISSING})
    for odd in ([], [Detection(PERSON.box, SURE - 0.05, gear=PERSON.gear)], [bare]):
        scene = seen_for(3, [PERSON])
        scene.judge(odd, SIZE[1], SIZE[0], 3.2)
        assert not scene.is_calm
    scene.judge([PERSON], SIZE[1], SIZE[0], 3.4)
    assert not scene.is_calm  # the vote for a bare head counts still


def test_pictures_that_were_not_looked_at_do_not_make_a_model_quick() -> None:
    vitals = Vitals()
    for took_ms in (50.0, 0.0, 0.0, 0.0):
        vitals.note(Report("", 5.0, 100.0, {"persons": 0}, {}, took_ms=took_ms))
    assert vitals.judged == 4 and vitals.latency_ms == 50.0
