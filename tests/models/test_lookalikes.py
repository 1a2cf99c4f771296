"""A thing that looks a little like a person keeps nobody in an empty place, and no person is taken for a thing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.detection import Box, Detection, Wearing
from models.gate import CHANGED, Look, Picture
from models.lookalikes import LEARNT_S, Lookalikes
from models.places import ZoneOptions
from models.scene import Judgement, Scene
from models.tracking import DOUBTED_S
from models.vocabulary import Gear
from tests.models.test_gate import GREY, SIZE, SURE

STEP_S = 0.2
ZONE = {"yard": ZoneOptions(polygon=((0, 0), (1, 0), (1, 1), (0, 1)), demand=(Gear.HELMET,), post=True)}
POST = Detection(Box(200, 96, 232, 160), SURE - 0.05)
"""Cells 24 to 29 across and 11 to 20 down, those beside it included."""
SURELY = replace(POST, score=0.9, gear={Gear.HELMET: Wearing.MISSING})
FACTS = {"persons", "yard.persons", "no_helmet", "yard.no_helmet", "yard.absent_for"}


def before_it(colour: int = 200) -> Picture:
    """Return the place with somebody before the post."""
    cells = GREY.copy()
    cells[11:21, 24:30] = colour
    return cells


class Camera:
    """What a worker does with what the network found."""

    def __init__(self, step_s: float = STEP_S) -> None:
        self.scene, self.lookalikes = Scene(ZONE, SURE), Lookalikes(SURE)
        self.now_s, self.step_s = 0.0, step_s

    def see(self, found: Sequence[Detection], cells: Picture = GREY, seconds: float = STEP_S) -> Judgement:
        return [judgement for judgement, _ in self.watch(found, cells, seconds)][-1]

    def watch(
        self, found: Sequence[Detection], cells: Picture, seconds: float
    ) -> Iterator[tuple[Judgement, frozenset[Box]]]:
        """Yield what each picture is judged to show, and which boxes count for nobody."""
        for _ in range(round(seconds / self.step_s)):
            self.now_s = round(self.now_s + self.step_s, 3)
            look = Look(cells, SIZE, self.now_s, found)
            look = replace(look, parts=self.lookalikes.among(look))
            yield self.scene.judge(look.present, SIZE[1], SIZE[0], self.now_s), look.parts
            self.lookalikes.learn(look, self.scene.expected(self.now_s).values())


def test_who_goes_past_a_thing_that_was_there_before_leaves_nobody() -> None:
    camera = Camera()
    assert camera.see([POST], seconds=LEARNT_S + 1).whole.persons == 0
    assert camera.see([SURELY], before_it(), 3).whole.persons == 1
    told = camera.see([POST], seconds=2)
    assert (told.whole.persons, told.zones["yard"].persons) == (0, 0)
    assert not {*told.unsure} & (FACTS - {"yard.absent_for"})


def test_who_goes_past_a_thing_of_which_nothing_is_known_leaves_doubt_and_no_certain_number() -> None:
    camera = Camera()
    camera.see([SURELY], before_it(), 3)
    told = [(camera.now_s, each) for each, _ in camera.watch([POST], GREY, 100)]
    assert all(each.whole.persons == 1 for _, each in told)
    assert [{*each.unsure} & FACTS for at_s, each in told if at_s <= 3 + DOUBTED_S] == [set()] * round(
        DOUBTED_S / STEP_S
    )
    assert all({*each.unsure} >= FACTS for at_s, each in told if at_s > 3.1 + DOUBTED_S)
    again = camera.see([SURELY], before_it())
    assert again.whole.persons == 1 and not {*again.unsure} & FACTS  # believed again


def test_another_who_is_believed_makes_the_post_manned_and_the_number_no_surer() -> None:
    camera = Camera()
    camera.see([SURELY], before_it(), 3)
    other = replace(SURELY, box=Box(400, 96, 440, 200))
    told = camera.see([POST, other], seconds=30)
    assert told.whole.persons == 2 and "yard.persons" in told.unsure and "yard.absent_for" not in told.unsure


def test_a_minute_is_needed_and_only_what_nobody_was_followed_on_counts() -> None:
    camera = Camera()
    camera.see([POST], seconds=LEARNT_S - 1)
    camera.see([SURELY], before_it(), 3)
    assert camera.see([POST], seconds=100).whole.persons == 1
    camera = Camera()
    camera.see([SURELY], before_it(), 3)
    camera.see([POST], before_it(), 2 * LEARNT_S)  # sits down, and is found in doubt from then on
    assert camera.see([POST], before_it(), 60).whole.persons == 1


def test_what_was_believed_with_the_same_pixels_is_a_thing_no_more() -> None:
    camera = Camera()
    camera.see([POST], seconds=LEARNT_S + 1)
    camera.see([SURELY], seconds=1)
    assert camera.see([POST], seconds=30).whole.persons == 1


@cache
def learnt() -> Lookalikes:
    lookalikes = Lookalikes(SURE)
    for number in range(round(LEARNT_S) + 1):
        lookalikes.learn(Look(GREY, SIZE, float(number), [POST]), [])
    return lookalikes


@given(st.integers(24, 29), st.integers(11, 20), st.integers(0, 2), st.sampled_from([-CHANGED, CHANGED]))
def test_who_changes_one_cell_of_it_is_followed(x: int, y: int, colour: int, by: int) -> None:
    cells = GREY.astype(np.int16)
    cells[y, x, colour] += by
    assert learnt().among(Look(GREY, SIZE, 99.0, [POST])) == {POST.box}
    assert not learnt().among(Look(cells.astype(np.uint8), SIZE, 99.0, [POST]))


@pytest.mark.parametrize("box", [POST.box.moved(8, 0), Box(200, 96, 240, 160)])
def test_who_stands_beside_it_and_makes_its_box_larger_is_followed(box: Box) -> None:
    cells = GREY.copy()
    cells[11:21, 31:33] = 200
    assert learnt().among(Look(cells, SIZE, 99.0, [POST])) == {POST.box}
    assert not learnt().among(Look(cells, SIZE, 99.0, [replace(POST, box=box)]))


OFTEN = [[], [POST], [SURELY], [replace(POST, box=POST.box.moved(4, 2))], [POST, SURELY]]
SIGHTS = st.lists(
    st.tuples(
        st.sampled_from(OFTEN),
        st.sampled_from([GREY, before_it(), before_it(97)]),
        st.sampled_from([1.0, 2.0, 15.0, LEARNT_S]),
    ),
    min_size=3,
    max_size=8,
)


@settings(max_examples=10, deadline=None)
@given(SIGHTS)
def test_nobody_is_taken_for_a_thing_of_whom_not_a_minute_of_nobody_was_told(
    sights: list[tuple[list[Detection], Picture, float]],
) -> None:
    """Whatever comes and goes: before, for so long, the same pixels counted for nobody, and nobody is believed now."""
    camera, nobody_s = Camera(step_s=1.0), {True: 0.0, False: 0.0}
    for found, cells, seconds in sights:
        has_somebody = int(cells[15, 27, 0]) > 150
        for told, parts in camera.watch(found, cells, seconds):
            boxes = {item.box for item in found if item.score < SURE}
            assert parts <= boxes and (not parts or nobody_s[has_somebody] >= LEARNT_S - 1)
            nobody_s[has_somebody] += 1.0 if boxes and not told.whole.persons else 0.0
