"""A new model goes on where the one before it ended: a swap in the middle of anything changes no fact."""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Iterable
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.detection import Box, Detection, Wearing
from models.places import LineOptions, ZoneOptions
from models.scene import Judgement, Scene
from models.vocabulary import Gear, Thing
from tests.models.people import HEIGHT, WIDTH, standing, watch

WHOLE = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0))
LEFT = ((0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0))
ALL = ZoneOptions(polygon=WHOLE, loiter_after=8.0, post=True, vehicle_within=2.0, still_after=3.0, running_above=1.2)
DESK = ZoneOptions(polygon=LEFT, demand=(), loiter_after=20.0, post=True)
DOOR = LineOptions(points=((0.5, 1.0), (0.5, 0.2)), within=12.0)
END_S = 30.0


def scene() -> Scene:
    return Scene({"all": ALL, "desk": DESK}, 0.5, {"door": DOOR}, (Thing.FIRE, Thing.VEHICLE))


def busy(at_s: float) -> list[Detection]:
    """Return a bare head at the desk, who leaves it; one who runs over the line; one who falls; a truck; a fire."""
    bare = {Gear.HELMET: Wearing.MISSING, Gear.VEST: Wearing.UNKNOWN}
    worker = standing(100 if at_s < 6 else min(100 + 60 * (at_s - 6), 620))
    found = [Detection(worker.box, 0.9, gear=bare)] if at_s < 24 else []
    if 3 <= at_s < 7:
        found.append(standing(620 - 150 * (at_s - 3), feet=420, tall=120))
    if at_s >= 4:
        found.append(standing(500, feet=200, tall=90) if at_s < 10 else Detection(Box(455, 165, 545, 200), 0.9))
    if at_s >= 8:
        found.append(Detection(Box(380, 150, 460, 200), 0.9, thing=Thing.VEHICLE))
    if 12 <= at_s < 20 and int(at_s * 5) % 4:
        found.append(Detection(Box(50, 50, 100, 100), 0.9, thing=Thing.FIRE))
    return found


def look(watched: Scene, fps: float, numbers: Iterable[int]) -> dict[int, Judgement]:
    """Return what a scene tells of these pictures, by their numbers."""
    return {number: watched.judge(busy(number / fps), WIDTH, HEIGHT, number / fps) for number in numbers}


@cache
def unswapped(fps: float) -> dict[int, Judgement]:
    return look(scene(), fps, range(round(END_S * fps)))


def swapped(fps: float, swap_s: float) -> dict[int, Judgement]:
    """Return what the second of two scenes tells, which saw some pictures for itself before it took over."""
    before, after, number = scene(), scene(), round(swap_s * fps)
    look(before, fps, range(number))
    look(after, fps, range(max(0, number - 5), number))
    after.take_over(json.loads(json.dumps(before.hand_over())))
    return look(after, fps, range(number, round(END_S * fps)))


@settings(max_examples=12, deadline=None)
@given(swap_s=st.floats(0.5, 28.0), fps=st.sampled_from([2.0, 5.0]))
def test_a_swap_at_any_time_changes_no_fact(swap_s: float, fps: float) -> None:
    for number, judgement in swapped(fps, swap_s).items():
        assert judgement == unswapped(fps)[number]


def test_the_story_has_all_that_could_be_forgotten() -> None:
    told = [judgement.more for judgement in unswapped(5.0).values()]
    most = {name: max(more[name] for more in told) for name in told[0]}
    assert {name for name, value in most.items() if not value} == {"desk.vehicles", "desk.loitering"}
    assert most["door.crossed"] == 2 and most["desk.absent_for"] > 15


@pytest.mark.parametrize(("fact", "at_s"), [("all.loitering", 8.0), ("desk.absent_for", 29.0), ("door.crossed", 13.0)])
def test_a_swap_in_between_does_not_delay_it(fact: str, at_s: float) -> None:
    """The numbers of an absence, a stay and a crossing that began before the swap."""
    told = swapped(5.0, at_s - 1.0)[round(at_s * 5) + 1]
    assert told.more[fact] >= {"desk.absent_for": 18.0}.get(fact, 1) and fact not in told.unsure


def test_a_track_that_was_lost_is_not_mistaken_for_a_new_one() -> None:
    before, after = scene(), scene()
    watch(before, lambda at_s: [standing(100)] if at_s < 4 else [], 5.0, 7.0)
    after.take_over(json.loads(json.dumps(before.hand_over())))
    told = watch(after, lambda _: [standing(250)], 5.0, 9.0, 7.2)[-1][1]
    assert told.more["desk.longest_stay"] == pytest.approx(1.8)


def damaged(memory: dict[str, Any], *way: str | int, put: object) -> dict[str, Any]:
    damage: Any = (result := copy.deepcopy(memory))
    for step in way[:-1]:
        damage = damage[step]
    damage[way[-1]] = put
    return result


@pytest.mark.parametrize(
    ("way", "put", "words"),
    [
        (("people", "next_id"), "x", r"people\.next_id: Input should be a valid integer"),
        (("people", "tracks", 0, "box"), [1, 2], r"people\.tracks\.0\.box"),
        (("people", "tracks", 0, "seen_s"), math.nan, "people: Out of range"),
        (("people", "tracks", 0, "ballots", "hat"), {}, r"people\.tracks\.0\.ballots\.hat"),
        (("people", "rhythm", "watched_s"), math.inf, "people: Out of range"),
        (("people", "mood"), 1, "people: it is of another version"),
        (("line door",), {}, "line door: it is of another version"),
        (("line door", "crossings"), [["a"]], r"line door\.crossings\.0"),
        (("zone desk: stay", "visits"), None, r"zone desk: stay\.visits"),
        (("zone desk: post", "absent_s"), [], r"zone desk: post\.absent_s"),
        (("zone yard: post",), {}, "the memory is of another camera or version"),
    ],
)
def test_a_memory_that_is_none_is_refused_in_words_and_changes_nothing(
    way: tuple[str | int, ...], put: object, words: str
) -> None:
    one = scene()
    watch(one, busy, 5.0, 15.0)
    memory = json.loads(json.dumps(one.hand_over()))
    other = scene()
    fresh = other.hand_over()
    with pytest.raises(ValueError, match=words):
        other.take_over(damaged(memory, *way, put=put))
    assert other.hand_over() == fresh


@pytest.mark.parametrize("memory", [[], None, "x", {}])
def test_what_is_no_memory_at_all_is_refused(memory: Any) -> None:
    with pytest.raises(ValueError, match="another camera or version"):
        scene().take_over(memory)


def test_a_picture_that_is_older_than_the_memory_turns_no_clock_back() -> None:
    """The two workers grab for themselves: the first picture after a swap may be older than the last before it."""
    before, after = scene(), scene()
    watch(before, busy, 5.0, 10.0)
    after.take_over(before.hand_over())
    told = after.judge(busy(9.95), WIDTH, HEIGHT, 9.95)
    assert told.more["all.longest_stay"] == pytest.approx(9.8, abs=0.3) and not told.unsettled
