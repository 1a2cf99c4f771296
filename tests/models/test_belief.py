"""A box that alone is no person is one where its head is clearly bare, in the worker as in the evaluation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from models.bundle import Belief, load_bundle
from models.detection import Box, Detection, Wearing
from models.inference import Picture, Vision
from models.options import BUNDLED, CameraOptions
from models.scene import Scene
from models.thrift import AGREED, REUSED_S, Thrift
from models.vocabulary import Gear
from tests.models.bundles import bundle

SURE = 0.95
BELIEF = {"helmet": {"score": 0.4, "missing_below": 0.05}}
BARE, WORN = {Gear.HELMET: Wearing.MISSING}, {Gear.HELMET: Wearing.WORN}


def picture(name: str) -> Picture:
    return np.asarray(cv2.imread(str(BUNDLED / "ppe/golden" / name)), np.uint8)


@pytest.fixture
def doubting(tmp_path: Path) -> Any:
    """Return a maker of the shipped networks that take nobody for a person by the score alone."""

    def make(**believes: Any) -> Vision:
        return Vision(load_bundle(bundle(tmp_path / "ppe", detector={"sure": SURE}, classifier={"believes": believes})))

    return make


def test_bare_heads_make_persons_of_doubtful_boxes_and_helmets_do_not(doubting: Any) -> None:
    vision = doubting(**BELIEF)
    bare = [item for item in vision.look(picture("bare.jpg")) if item.score >= vision.sure]
    assert [(item.score, item.raised, item.wears(Gear.HELMET)) for item in bare] == [(SURE, True, Wearing.MISSING)] * 2
    assert not any(item.raised for item in vision.look(picture("worn.jpg")))
    assert vision.look(picture("nobody.jpg")) == []


def test_three_pictures_of_them_are_persons_without_helmets(doubting: Any) -> None:
    vision = doubting(**BELIEF)
    scene = Scene(CameraOptions(source="x").watched, vision.sure)
    shown = picture("bare.jpg")
    height, width = shown.shape[:2]
    counts = [scene.judge(vision.look(shown), width, height, number / 5).whole for number in range(4)]
    assert (counts[-1].persons, counts[-1].missing[Gear.HELMET]) == (2, 2)


def test_without_beliefs_the_score_alone_decides(doubting: Any) -> None:
    vision = doubting()
    assert not [item for item in vision.look(picture("bare.jpg")) if item.score >= vision.sure or item.raised]


def test_a_camera_that_asks_for_surer_persons_gets_them_here_too(doubting: Any) -> None:
    vision = doubting(helmet={"score": 0.9, "missing_below": 0.05})
    (best,) = sorted(item.score for item in vision.look(picture("bare.jpg")))[-1:]
    vision.tune(SURE - (0.9 - best) - 0.01, None, None)  # boxes count from just below the best one's score
    assert [item.raised for item in vision.look(picture("bare.jpg"))].count(True) == 1
    vision.tune(vision.sure + 0.02, None, None)
    assert not any(item.raised for item in vision.look(picture("bare.jpg")))


def test_a_camera_that_calls_fewer_helmets_missing_believes_no_more_than_that(doubting: Any) -> None:
    vision = doubting(**BELIEF)
    vision.tune(None, 0.0001, None)
    assert not any(item.raised for item in vision.look(picture("bare.jpg")))


def test_the_score_must_be_reached_and_the_share_below_its_limit() -> None:
    belief = Belief(score=0.4, missing_below=0.05)
    assert [belief.holds(*case) for case in ((0.4, 0.04), (0.39, 0.04), (0.4, 0.05))] == [True, False, False]


def look(thrift: Thrift, person: Detection, now_s: float) -> Detection:
    """Have one look at somebody who stands still, number 1, as the worker has it."""
    thrift.expect({1: person.box})
    asked = thrift.must_judge(person.box, now_s)
    (said,) = thrift.complete([person if asked else Detection(person.box, 0.41)])
    thrift.learn({1: person.box}, now_s)
    return said


@pytest.mark.parametrize("gear", [BARE, WORN])
def test_who_is_not_judged_anew_stays_a_person_only_if_that_made_one(gear: dict[Gear, Wearing]) -> None:
    thrift, box = Thrift(), Box(0, 0, 50, 150)
    person = Detection(box, 0.45, gear=gear, raised=gear is BARE)
    for number in range(AGREED):
        look(thrift, person, number / 5)
    said = look(thrift, person, AGREED / 5)
    assert (said.score, said.raised) == ((0.45, True) if gear is BARE else (0.41, False))
    # Judged anew, it is what the network says now.
    later = look(thrift, Detection(box, 0.41, gear=gear), AGREED / 5 + REUSED_S)
    assert (later.score, later.raised) == (0.41, False)
