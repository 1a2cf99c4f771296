"""What is a part of the place needs no full pace again, and nobody is taken for it who was not looked at for 10 s."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from models.detection import Box, Detection, Wearing
from models.gate import CALM_S, FORCED_S, Gate, Look, Picture
from models.scene import Scene
from models.scenery import CHANGED, DOUBTED_S, Scenery
from models.vocabulary import Gear
from tests.models.test_gate import GREY, PERSON, SIZE, SURE, seen_for

COAT = Detection(Box(200, 96, 232, 160), SURE - 0.05)
"""Cells 24 to 29 across and 11 to 20 down, those beside it included."""
STEP_S = 0.2
LOOKS = round(DOUBTED_S / STEP_S)


def learnt(looks: int = LOOKS) -> Scenery:
    """Return a scenery after so many looks at a coat, and one to begin with."""
    scenery = Scenery()
    for number in range(looks + 1):
        scenery.strange([COAT], [COAT], GREY, SIZE, STEP_S if number else 0.0)
    return scenery


def is_known(scenery: Scenery, item: Detection = COAT, cells: Picture = GREY) -> bool:
    return not scenery.strange([item], [item], cells, SIZE, 0.0)


def test_it_is_known_after_ten_seconds_and_not_before() -> None:
    assert is_known(learnt()) and not is_known(learnt(LOOKS - 1))


@given(st.integers(24, 29), st.integers(11, 20), st.integers(0, 2), st.sampled_from([-CHANGED, CHANGED]))
def test_whoever_changes_one_cell_of_it_is_strange(x: int, y: int, colour: int, by: int) -> None:
    cells = GREY.astype(np.int16)
    cells[y, x, colour] += by
    scenery = learnt()
    assert not is_known(scenery, cells=cells.astype(np.uint8))
    assert is_known(scenery)  # and known again when it has gone


@given(
    st.sampled_from(
        [replace(COAT, score=SURE + 0.01), replace(COAT, box=COAT.box.moved(8, 0)), replace(COAT, gear=PERSON.gear)]
    )
)
def test_what_is_found_otherwise_is_strange(item: Detection) -> None:
    assert not is_known(learnt(), item)


def test_what_comes_and_goes_in_a_still_picture_begins_anew() -> None:
    scenery = learnt()
    scenery.strange([], [], GREY, SIZE, STEP_S)
    assert not is_known(scenery)


def test_looks_before_and_after_somebody_passed_by_are_added_up() -> None:
    scenery, passing = learnt(LOOKS - 10), GREY.copy()
    passing[10:22, 20:34] += 60
    for _ in range(20):
        scenery.strange([PERSON], [], passing, SIZE, STEP_S)
    for _ in range(10):
        assert not is_known(scenery)
        scenery.strange([COAT], [COAT], GREY, SIZE, STEP_S)
    assert is_known(scenery)


def run(gate: Gate, from_s: float, to_s: float, found: Sequence[Detection], cells: Picture = GREY) -> list[float]:
    """Have a gate see the same for a time; return when it was looked at."""
    looked: list[float] = []
    for number in range(round((to_s - from_s) / STEP_S)):
        now_s = from_s + number * STEP_S
        if gate.stands_for(cells, SIZE, now_s) is None:
            gate.looked(Look(cells, SIZE, now_s, found), calm=True)
            looked.append(now_s)
    return looked


def test_once_it_is_known_the_gate_shuts_as_in_an_empty_place() -> None:
    gate, passing = Gate(SURE), GREY.copy()
    passing[10:22, 20:34] += 60
    assert len(run(gate, 0, 20, [COAT])) < 20 / STEP_S
    assert len(run(gate, 20, 24, [PERSON], passing)) > 10
    looked = run(gate, 24, 34, [COAT])
    assert max(b - a for a, b in pairwise(looked)) <= FORCED_S + 1e-6
    assert sum(at_s < 24 + CALM_S for at_s in looked) >= round(CALM_S / STEP_S) and len(looked) < 25


def test_a_doubt_that_a_forced_look_finds_is_looked_at_for_ten_seconds() -> None:
    gate = Gate(SURE)
    assert len(run(gate, 0, 10, [])) < 25
    assert len(run(gate, 10, 21, [COAT])) >= LOOKS


def test_people_of_whom_it_is_not_known_what_they_wear_are_doubted() -> None:
    vague = Detection(PERSON.box, 0.9, gear={Gear.HELMET: Wearing.UNKNOWN})
    scene = seen_for(9, [vague])
    assert scene.is_steady and scene.doubted == {vague.box}
    assert seen_for(9, [PERSON]).doubted == frozenset()


def test_who_is_followed_in_doubt_is_doubted_and_who_is_missed_leaves_nothing_steady() -> None:
    scene = seen_for(3, [PERSON])
    faint = replace(PERSON, score=SURE - 0.15)
    for number in range(1, 20):
        judge(scene, [faint], 3 + number * STEP_S)
    assert scene.is_steady and scene.doubted == {faint.box} and not scene.is_calm
    judge(scene, [], 7.0)
    assert not scene.is_steady


def test_who_was_believed_once_and_is_in_doubt_since_is_not_waited_for_until_believed_again() -> None:
    scene, faint = Scene({}, SURE), replace(PERSON, score=SURE - 0.05)
    judge(scene, [PERSON], 0.0)
    assert not scene.is_steady, "it may be confirmed with the next picture"
    for number in range(1, 20):
        judge(scene, [faint], number * STEP_S)
    assert scene.is_steady and scene.doubted == {faint.box}
    judge(scene, [PERSON], 4.0)
    assert not scene.is_steady


def test_the_gate_stays_open_while_one_followed_in_doubt_comes_and_goes() -> None:
    gate, faint = Gate(SURE), replace(PERSON, score=SURE - 0.15)
    for number in range(100):
        found = [faint] if number % 7 else []
        assert gate.stands_for(GREY, SIZE, number * STEP_S) is None
        gate.looked(Look(GREY, SIZE, number * STEP_S, found), calm=bool(found), doubted={faint.box})


def judge(scene: Scene, found: list[Detection], now_s: float) -> None:
    scene.judge(found, SIZE[1], SIZE[0], now_s)
