"""Lines that people cross, in virtual time. The line goes up the middle: its left hand is the picture's left."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from agent.core.clock import SystemClock
from models.behaviours.line import Line
from models.camera import CameraDriver
from models.detection import Detection
from models.options import CameraOptions
from models.places import LineOptions, Way
from models.scene import Judgement, Scene
from models.tracking import Track
from tests.models.people import HEIGHT, TALL, WIDTH, Play, standing, watch

MIDDLE = ((0.5, 1.0), (0.5, 0.2))


def scene(counts: Way = "both", within: float = 60.0, points: tuple[tuple[float, float], ...] = MIDDLE) -> Scene:
    return Scene({}, 0.5, {"door": LineOptions(points=points, counts=counts, within=within)})


def walker(speed: float, start: float) -> Play:
    """Return somebody who walks over the picture, in pixels per second."""
    return lambda at_s: [standing(start + speed * at_s)]


def crossed(line: Scene, play: Play, fps: float = 5.0, until_s: float = 8.0) -> float:
    return watch(line, play, fps, until_s)[-1][1].more["door.crossed"]


@pytest.mark.parametrize(
    ("counts", "rightwards", "leftwards"), [("left_to_right", 1, 0), ("right_to_left", 0, 1), ("both", 1, 1)]
)
def test_a_crossing_counts_once_in_its_direction(counts: Way, rightwards: int, leftwards: int) -> None:
    assert crossed(scene(counts), walker(60, 100)) == rightwards
    assert crossed(scene(counts), walker(-60, 540)) == leftwards


def test_who_goes_there_and_back_crosses_once_each_way() -> None:
    def play(at_s: float) -> list[Detection]:
        return [standing(320 - 150 * math.cos(at_s * math.pi / 5))]

    assert crossed(scene("left_to_right"), play, until_s=9.9) == 1
    assert crossed(scene("right_to_left"), play, until_s=9.9) == 1


@given(st.lists(st.floats(-0.1 * TALL, 0.1 * TALL), min_size=20, max_size=40))
def test_a_box_that_trembles_on_the_line_crosses_nothing(aside: list[float]) -> None:
    line = scene()
    assert crossed(line, lambda at_s: [standing(320 + aside[round(at_s * 5) % len(aside)])]) == 0


def test_past_the_end_of_a_line_nobody_crosses_it() -> None:
    assert crossed(scene(points=((0.5, 0.5), (0.5, 0.2))), walker(60, 100)) == 0


def test_a_crossing_is_forgotten_after_its_time() -> None:
    seen = watch(scene(within=3.0), walker(60, 100), 5.0, 8.0)
    counted = [at_s for at_s, judgement in seen if judgement.more["door.crossed"]]
    assert counted and counted[-1] - counted[0] == pytest.approx(2.8) and counted[-1] < 8.0


def test_two_boxes_of_one_picture_are_no_crossing() -> None:
    """A ghost on the other side for one picture is nobody."""
    ghost = watch(scene(), lambda at_s: [standing(250)] if at_s != 2.0 else [standing(390)], 5.0, 6.0)
    assert ghost[-1][1].more["door.crossed"] == 0


def test_who_is_lost_at_the_line_leaves_the_count_uncertain_for_its_time() -> None:
    play = walker(60, 100)
    seen = watch(scene(within=4.0), lambda at_s: play(at_s - 5) if 5 <= at_s < 8.0 else [], 5.0, 14.0)
    unsure = [at_s for at_s, judgement in seen if judgement.unsure and at_s >= 4]
    assert unsure[0] == 8.0 and unsure[-1] == pytest.approx(9.4 + 4.0, abs=0.21)
    assert {name for _, judgement in seen for name in judgement.unsure} == {"door.crossed"}


def test_who_is_lost_elsewhere_leaves_it_sure() -> None:
    seen = watch(scene(within=4.0), lambda at_s: [standing(100)] if at_s < 6.0 else [], 5.0, 9.0)
    assert not any(judgement.unsure for at_s, judgement in seen if at_s >= 4)


def test_who_crossed_while_the_camera_was_blind_was_not_seen() -> None:
    line = scene(within=4.0)
    watch(line, lambda _: [], 5.0, 6.0)
    seen = watch(line, lambda _: [], 5.0, 110.0, 100.0)
    assert [at_s for at_s, judgement in seen if judgement.unsure][-1] == pytest.approx(103.8)


WARM_S = 7.0
"""Longer than the window and than settling: from then on a count can be sure."""


def walk_after_warming(speed: float, late: float, fps: float, is_seen: Callable[[int], bool]) -> Judgement:
    """Return the last judgement on who walks over the whole picture once; ``is_seen`` tells of each picture."""

    def play(at_s: float) -> list[Detection]:
        x = 20 + speed * TALL * (at_s - WARM_S - late)
        return [standing(x)] if 20 <= x <= 620 and is_seen(round(at_s * fps)) else []

    return watch(scene(within=6.0), play, fps, WARM_S + late + 600 / (speed * TALL) + 0.5)[-1][1]


@settings(max_examples=60, deadline=None)
@example(speed=1.8, late=0.5, fps=1.0)
@example(speed=4.0, late=0.25, fps=2.0)
@given(speed=st.floats(0.6, 5.0), late=st.floats(0, 1), fps=st.sampled_from([1.0, 2.0, 3.0, 5.0, 10.0]))
def test_nobody_who_runs_is_missed_for_certain_at_any_pace(speed: float, late: float, fps: float) -> None:
    """Up to 5 heights per second, beyond what the tracker follows: counted once, or in doubt."""
    told = walk_after_warming(speed, late, fps, lambda _: True)
    assert told.more["door.crossed"] <= 1
    assert told.more["door.crossed"] == 1 or "door.crossed" in told.unsure


@settings(max_examples=60, deadline=None)
@given(speed=st.floats(0.6, 4.0), fps=st.sampled_from([2.0, 5.0]), missed=st.sets(st.integers(35, 60)))
def test_nobody_whom_the_model_misses_now_and_then_is_missed_for_certain(
    speed: float, fps: float, missed: set[int]
) -> None:
    """Also who is found in one picture only; somebody whom none shows near the line is nobody."""
    told = walk_after_warming(speed, 0.0, fps, lambda number: not (fps == 5.0 and number in missed))
    assert told.more["door.crossed"] == 1 or "door.crossed" in told.unsure or not _near_the_line(speed, fps, missed)


def _near_the_line(speed: float, fps: float, missed: set[int]) -> bool:
    """Tell whether some picture shows the walker within a height of the line."""
    times = [number / fps - WARM_S for number in range(int(WARM_S * fps), int((WARM_S + 12) * fps))]
    places = [20 + speed * TALL * at_s for at_s in times if fps != 5.0 or round((at_s + WARM_S) * fps) not in missed]
    return any(abs(x - 320) <= TALL for x in places)


def test_who_jumps_over_the_line_is_doubt_and_no_crossing() -> None:
    """The tracker takes two boxes far apart for one person: the same, or another?"""
    line = Line(LineOptions(points=MIDDLE, within=4.0))
    track = Track(1, standing(200).box, 0.0, hits=3)
    assert line.observe([track], WIDTH, HEIGHT, 0.0) == (0, True)
    unsure = []
    for step in range(1, 30):
        track.box, track.seen_s, track.jumped = standing(460).box, step / 5, step == 1
        count, sure = line.observe([track], WIDTH, HEIGHT, step / 5)
        unsure += [] if sure else [step]
        assert count == 0
    assert unsure == list(range(1, 21))


def test_who_turns_up_beside_the_line_may_have_come_over_it() -> None:
    seen = watch(scene(within=4.0), lambda at_s: [standing(380)] if at_s >= 6 else [], 5.0, 12.0)
    unsure = [at_s for at_s, judgement in seen if judgement.unsure and at_s > 4.1]
    assert unsure[0] == 6.0 and unsure[-1] == pytest.approx(9.8) and len(unsure) == 20


def test_the_doubt_about_somebody_lost_lasts_as_long_as_the_window_also_for_an_hour() -> None:
    seen = watch(scene(within=100.0), lambda at_s: [standing(280)] if 110 <= at_s < 112 else [], 2.0, 250.0)
    assert [at_s for at_s, judgement in seen if judgement.unsure][-1] == pytest.approx(213, abs=1)


def test_who_crosses_behind_somebody_else_leaves_doubt() -> None:
    """Hidden from far before the line until far beyond it, and lost then."""
    near = [standing(100 + 60 * step, feet=470, tall=380) for step in range(9)]

    def play(at_s: float) -> list[Detection]:
        step = round((at_s - 8) * 5) // 3
        if not 0 <= step < 9:
            return []
        return [standing(100 + 60 * step, feet=400), near[step]] if step else [standing(100, feet=400)]

    line = Scene({}, 0.5, {"door": LineOptions(points=((0.5, 0.9), (0.5, 0.8)), within=6.0)})
    seen = watch(line, play, 5.0, 15.0)
    assert seen[-1][1].more["door.crossed"] == 1 or "door.crossed" in seen[-1][1].unsure


@settings(max_examples=40, deadline=None)
@example(speed=150.0, start=60.0)
@given(speed=st.floats(40, 150), start=st.floats(40, 130))
def test_the_count_does_not_depend_on_the_pace_of_pictures(speed: float, start: float) -> None:
    """The first 10 s of somebody who walks up to 1.5 heights per second, at 2 and at 10 pictures per second."""
    until_s = (600 - start) / speed
    slow, quick = (watch(scene(), walker(speed, start), fps, until_s) for fps in (2.0, 10.0))
    when = [next(at_s for at_s, judgement in seen if judgement.more["door.crossed"]) for seen in (slow, quick)]
    assert 0 <= when[0] - when[1] <= 0.5 + 1e-6


def test_a_line_is_a_fact_of_its_camera() -> None:
    options = CameraOptions(source="usb:0", lines={"door": LineOptions(points=MIDDLE)})
    points = {info.id: info for info in CameraDriver("gate", options, SystemClock()).points}
    assert points["gate.door.crossed"].zone == "door" and points["gate.door.crossed"].description
