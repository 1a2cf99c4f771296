"""The arithmetic of ``make evaluate``, without models or pictures."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.bundle import Belief
from models.detection import Box
from models.vocabulary import Gear
from tests.models.cameras import FOOTAGE
from tools.footage import bare_parts, clip, rises, still
from tools.labels import SETS, Half, Truth, half_of, of_anybody, scene_of, unseen
from tools.measure import Case, Figure, Sheet, Sight, Thresholds, choose, counts, most_per_hour, share, wilson

TALL, SMALL = Box(0, 0, 100, 200), Box(300, 0, 325, 50)
AT = Thresholds(0.5, dict.fromkeys(Gear, 0.3), dict.fromkeys(Gear, 0.6))


def sight(box: Box, helmet: float | None = None, score: float = 0.9) -> Sight:
    return Sight(box, score, {} if helmet is None else {Gear.HELMET: helmet})


def sheet(*cases: Case) -> Sheet:
    return Sheet(cases, AT)


def test_wilson_is_the_textbooks() -> None:
    low, high = wilson(8, 10)
    assert (round(low, 3), round(high, 3)) == (0.490, 0.943)
    assert wilson(0, 0) == (0.0, 1.0)


@given(st.lists(st.integers(0, 5).flatmap(lambda whole: st.tuples(st.integers(0, whole), st.just(whole))), max_size=8))
def test_an_interval_holds_its_share_and_wilsons(pictures: list[tuple[int, int]]) -> None:
    found = share(pictures)
    low, high = wilson(found.part, found.whole)
    assert found.low <= low + 1e-9 and found.high >= high - 1e-9
    assert found.low - 1e-9 <= found.value <= found.high + 1e-9 or not found.whole


def test_alike_persons_of_one_picture_widen_the_interval() -> None:
    apart = share([(1, 1)] * 20 + [(0, 1)] * 20)
    together = share([(20, 20), (0, 20)])
    assert together.value == apart.value == 0.5
    assert together.high - together.low > 2 * (apart.high - apart.low)


def test_no_alarm_in_an_hour_bounds_the_rate_by_three() -> None:
    assert most_per_hour(0, 2.0) == 1.5
    assert most_per_hour(4, 1.0) > 4


def test_a_doubtful_box_counts_where_its_head_is_clearly_bare() -> None:
    believing = replace(AT, believes={Gear.HELMET: Belief(score=0.4, missing_below=0.05)})
    bare, vague, faint = sight(TALL, 0.04, 0.4), sight(TALL, 0.06, 0.4), sight(TALL, 0.04, 0.39)
    assert [believing.takes(each) for each in (bare, vague, faint, sight(TALL, score=0.5))] == [
        True,
        False,
        False,
        True,
    ]
    assert not AT.takes(bare)
    case = Case("css", [Truth(TALL, False, None)], [bare])
    assert Sheet([case], believing).share(Figure.RECALL, Gear.HELMET).part == 1


@settings(max_examples=20, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 600), st.integers(0, 600), st.integers(1, 300)), max_size=6))
def test_parts_without_anybody_show_nobody_and_fit_beside_each_other(boxes: list[tuple[int, int, int]]) -> None:
    picture = np.zeros((640, 640, 3), np.uint8)
    for x, y, size in boxes:
        picture[y : y + size, x : x + size] = 255
    shown = list(bare_parts(picture, [Box(x, y, x + size, y + size) for x, y, size in boxes]))
    assert all(part.shape == (360, 640, 3) and not part.any() for part in shown)
    assert len(shown) <= 640 * 640 // (224 * 126)
    assert boxes or len(shown) == 2


def test_only_where_everybody_is_labelled_is_anything_known_to_be_nobody(tmp_path: Path) -> None:
    for folder in ("images", "labels"):
        (tmp_path / folder).mkdir()
    cv2.imwrite(str(tmp_path / "images/a.png"), np.zeros((100, 100, 3), np.uint8))
    (tmp_path / "labels/a.txt").write_text("5 .5 .5 .2 .4\n6 .1 .1 .1 .1\n0 .5 .3 .1 .1\n")
    path = tmp_path / "images/a.png"
    found = of_anybody(path, SETS["css"])
    assert found is not None and [(round(box.left), round(box.top)) for box in found] == [(40, 30), (45, 25)]
    assert of_anybody(path, SETS["iaesp"]) is None


def test_who_is_not_found_is_a_lost_alarm() -> None:
    truths = [Truth(TALL, False, None), Truth(SMALL, False, None)]
    found = sheet(Case("css", truths, [sight(TALL, 0.1), sight(SMALL, 0.1, score=0.4)]))
    assert str(found.share(Figure.FOUND)).startswith("0.500")
    recall, lost = found.share(Figure.RECALL, Gear.HELMET), found.share(Figure.NOT_FOUND, Gear.HELMET)
    assert (recall.part, recall.whole, lost.part, lost.whole) == (1, 2, 1, 2)
    assert found.share(Figure.RECALL, Gear.HELMET, band=160).value == 1.0
    assert found.share(Figure.RECALL, Gear.HELMET, source="iaesp").whole == 0


@pytest.mark.parametrize(
    ("said", "figure"),
    [(0.1, Figure.RECALL), (0.4, Figure.UNJUDGED), (None, Figure.UNJUDGED), (0.7, Figure.TAKEN_WORN)],
)
def test_a_bare_head_is_told_or_lost_for_one_reason(said: float | None, figure: Figure) -> None:
    found = sheet(Case("css", [Truth(TALL, False, None)], [sight(TALL, said)]))
    kinds = (Figure.RECALL, Figure.NOT_FOUND, Figure.UNJUDGED, Figure.TAKEN_WORN)
    assert [kind for kind in kinds if found.share(kind, Gear.HELMET).part] == [figure]


def test_a_helmet_called_missing_costs_precision() -> None:
    truths = [Truth(TALL, True, None), Truth(SMALL, False, None)]
    found = sheet(Case("css", truths, [sight(TALL, 0.1), sight(SMALL, 0.2)]))
    assert found.share(Figure.FALSE, Gear.HELMET).value == 1.0
    assert found.share(Figure.PRECISION, Gear.HELMET).value == 0.5
    assert found.share(Figure.PRECISION, Gear.VEST).whole == 0


def test_one_box_finds_one_person() -> None:
    beside = Box(10, 0, 110, 200)
    found = sheet(Case("css", [Truth(TALL, None, None), Truth(beside, None, None)], [sight(TALL)]))
    assert found.share(Figure.FOUND).part == 1


def test_boxes_on_nobody_and_alarms_of_empty_pictures_count() -> None:
    found = sheet(Case("css", [], [sight(TALL, 0.1)]), Case("css", [], []))
    assert found.share(Figure.NOBODY).part == found.share(Figure.STRAY).part == 1
    empty = found.share(Figure.EMPTY)
    assert (empty.part, empty.whole) == (1, 2)


def test_the_highest_threshold_that_holds_the_goals_is_chosen() -> None:
    bare = [Case("css", [Truth(TALL, False, None)], [sight(TALL, said)]) for said in (0.05, 0.18, 0.28)]
    worn = [Case("css", [Truth(TALL, True, None)], [sight(TALL, said)]) for said in (0.22, *[0.9] * 9)]
    at = choose([*bare, *worn], 0.5)
    assert at.missing[Gear.HELMET] == 0.2
    assert counts([*bare, *worn], 0.5, Gear.HELMET, 0.25) == (2, 1, 3, 10)


def test_pictures_that_were_trained_on_are_no_evidence() -> None:
    held = ["data/css/valid/images/a.rf.1.jpg", "data/css/valid/images/a.rf.2.jpg", "data/css/valid/images/b.rf.1.jpg"]
    assert unseen(held, ["data/css/train/images/b.rf.9.jpg"]) == held[:1]


def test_pictures_of_one_video_are_in_one_half() -> None:
    first, second = (f"data/css/valid/images/yard_mp4-{number}_jpg.rf.ab.jpg" for number in (3, 17))
    assert scene_of(first) == scene_of(second) != scene_of("data/css/valid/images/-3_jpg.rf.ab.jpg")
    assert half_of(first) is half_of(second)
    assert {half_of(f"data/css/valid/images/{number}.jpg") for number in range(20)} == set(Half)


def test_a_state_that_lasts_begins_once() -> None:
    assert rises([False, True, True, False, True]) == 2


def test_a_still_picture_is_shown_as_a_camera_would() -> None:
    shown = list(still(np.full((8, 8, 3), 100, np.uint8)))
    assert len(shown) == 15 and not np.array_equal(shown[0], shown[1])
    assert all(picture.dtype == np.uint8 and 90 < picture.mean() < 110 for picture in shown)


def test_five_pictures_of_each_second_of_a_part_are_judged() -> None:
    assert len(list(clip(FOOTAGE / "empty.mp4", 1.0, 3.0))) == 10
