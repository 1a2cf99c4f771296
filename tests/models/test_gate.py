from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from models.detection import Box, Detection
from models.gate import CHANGED, FORCED_S, Looked, may_gate, needs_look, small
from models.options import CameraOptions
from models.scene import Scene
from models.tracking import LOST_S
from models.vocabulary import Thing

GREY = np.full((36, 64), 90, np.uint8)
moments = st.lists(st.floats(0.03, 0.5), min_size=1, max_size=60)


@given(moments)
def test_a_still_scene_is_never_without_a_look_for_longer_than_the_limit_and_one_picture(steps: list[float]) -> None:
    now_s, last = 0.0, Looked(GREY, 0.0, False)
    for step_s in steps:
        now_s += step_s
        if needs_look(last, GREY, now_s):
            last = Looked(GREY, now_s, False)
        assert now_s - last.at_s < FORCED_S < LOST_S


@given(st.integers(0, 600), st.integers(0, 320), st.integers(30, 40), st.integers(20, 160), st.integers(0, 89))
def test_what_appears_is_looked_at_in_that_very_picture(x: int, y: int, size: int, level: int, seed: int) -> None:
    before = np.full((360, 640, 3), 90 + seed, np.uint8)
    after = before.copy()
    after[y : y + size, x : x + size] = (level + 128 + seed) % 256
    differs = abs(int(after[y, x, 0]) - int(before[0, 0, 0])) > 2 * CHANGED
    assert needs_look(Looked(small(before), 0.0, False), small(after), 0.2) or not differs


def test_changes_too_small_for_one_picture_add_up() -> None:
    last = Looked(GREY, 0.0, False)
    assert not needs_look(last, GREY + np.uint8(CHANGED - 1), 0.2)
    assert needs_look(last, GREY + np.uint8(CHANGED), 0.4)


@given(st.floats(0, 0.9))
def test_every_picture_is_looked_at_first_and_while_anybody_is_there(now_s: float) -> None:
    assert needs_look(None, GREY, now_s)
    assert needs_look(Looked(GREY, 0.0, True), GREY, now_s)
    assert not needs_look(Looked(GREY, 0.0, False), GREY, now_s)


def test_a_scene_is_empty_again_only_when_its_people_are_forgotten() -> None:
    scene = Scene(CameraOptions(source="a.mp4").watched, 0.5)
    assert scene.is_empty
    scene.judge([Detection(Box(10, 10, 40, 90), 0.9)], 640, 360, 0.0)
    scene.judge([], 640, 360, LOST_S)
    assert not scene.is_empty
    scene.judge([], 640, 360, LOST_S + 0.1)
    assert scene.is_empty


def test_fire_and_smoke_are_never_gated() -> None:
    assert may_gate(frozenset({Thing.PERSON}))
    assert not may_gate(frozenset({Thing.PERSON, Thing.SMOKE}))
