"""Man down, lying still and running, in virtual time."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.detection import Box, Detection
from models.options import CameraOptions
from models.places import ZoneOptions
from models.scene import Judgement, Scene
from models.vocabulary import Thing
from tests.models.people import Play, standing, watch

WHOLE = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0))
Seen = list[tuple[float, Judgement]]


def scene() -> Scene:
    return Scene({"hall": ZoneOptions(polygon=WHOLE, demand=(), still_after=5.0, running_above=1.5)}, 0.5)


def lying(x: float = 300.0, long: float = 90.0) -> Detection:
    return Detection(Box(x - long / 2, 268, x + long / 2, 300), 0.9)


def falls(at: float, then: Callable[[float], list[Detection]] = lambda _: [lying()]) -> Play:
    return lambda at_s: [standing(300)] if at_s < at else then(at_s)


def first(seen: Seen, fact: str) -> float | None:
    return next((at_s for at_s, judgement in seen if judgement.more[f"hall.{fact}"]), None)


def ever(seen: Seen, fact: str) -> bool:
    return first(seen, fact) is not None


def unsure(seen: Seen, fact: str) -> list[float]:
    return [at_s for at_s, judgement in seen if f"hall.{fact}" in judgement.unsure]


def test_who_falls_is_counted_within_two_seconds_and_lies_still_after_the_limit() -> None:
    seen = watch(scene(), falls(4.0), 5.0, 15.0)
    fallen, still = first(seen, "fallen"), first(seen, "lying_still")
    assert fallen is not None and 4.0 < fallen <= 6.0
    assert still == pytest.approx(9.0, abs=0.3)


def test_who_gets_up_again_no_longer_lies_and_that_is_sure() -> None:
    seen = watch(scene(), lambda at_s: [lying() if 4 <= at_s < 8 else standing(300)], 5.0, 14.0)
    assert ever(seen, "fallen") and not ever(seen, "lying_still")
    assert seen[-1][1].more["hall.fallen"] == 0 and not [at_s for at_s in unsure(seen, "fallen") if at_s > 11]


def test_who_crawls_does_not_lie_still() -> None:
    seen = watch(scene(), falls(4.0, lambda at_s: [lying(300 + 12 * (at_s - 4))]), 5.0, 15.0)
    assert ever(seen, "fallen") and not ever(seen, "lying_still")


def test_who_ties_a_shoe_has_not_fallen() -> None:
    crouching = Detection(Box(275, 245, 325, 300), 0.9)
    assert not ever(watch(scene(), falls(4.0, lambda _: [crouching]), 5.0, 12.0), "fallen")


def test_who_was_never_upright_may_lie_still_but_has_not_fallen() -> None:
    seen = watch(scene(), falls(0.0), 5.0, 10.0)
    assert not ever(seen, "fallen") and first(seen, "lying_still") is not None


def test_who_lay_before_the_camera_looked_may_have_fallen() -> None:
    """A worker that starts anew must not clear the alarm of a man down."""
    seen = watch(scene(), lambda _: [lying()], 5.0, 15.0)
    assert not ever(seen, "fallen") and 14.0 in unsure(seen, "fallen")


def test_who_fell_has_fallen_for_the_next_model_too() -> None:
    before, after = scene(), scene()
    watch(before, falls(4.0), 5.0, 10.0)
    after.take_over(json.loads(json.dumps(before.hand_over())))
    seen = watch(after, lambda _: [lying()], 5.0, 12.0, start_s=10.2)
    assert first(seen, "fallen") == first(seen, "lying_still") == pytest.approx(10.2)


def test_one_whom_the_edge_cuts_or_who_is_small_is_no_fall_and_not_sure() -> None:
    cut = Detection(Box(250, 420, 340, 479), 0.9)
    small = Detection(Box(300, 290, 330, 300), 0.9)
    for strange in (cut, small):
        seen = watch(scene(), lambda _, strange=strange: [strange], 5.0, 10.0)  # type: ignore[misc]
        assert not ever(seen, "fallen") and not ever(seen, "lying_still")
        assert seen[-1][0] in unsure(seen, "fallen") and seen[-1][0] in unsure(seen, "lying_still")


def test_who_lies_and_is_found_no_more_has_not_surely_got_up() -> None:
    seen = watch(scene(), falls(4.0, lambda at_s: [lying()] if at_s < 12 else []), 5.0, 120.0)
    assert all(judgement.more["hall.fallen"] == 1 for at_s, judgement in seen if 7 < at_s < 40)
    assert seen[-1][1].more["hall.fallen"] == 0 and seen[-1][0] in unsure(seen, "fallen")


def test_the_models_own_class_counts_once_and_in_its_zone_only() -> None:
    def play(at_s: float) -> list[Detection]:
        return [*falls(4.0)(at_s), Detection(lying().box, 0.8, Thing.FALLEN)] if at_s > 4 else [standing(300)]

    left, rest = ((0.0, 0.0), (0.3, 0.0), (0.3, 1.0), (0.0, 1.0)), ((0.3, 0.0), (1.0, 0.0), (1.0, 1.0), (0.3, 1.0))
    zones = {name: ZoneOptions(polygon=where, demand=(), still_after=5.0) for name, where in (("a", left), ("b", rest))}
    judgement = watch(Scene(zones, 0.5), play, 5.0, 9.0)[-1][1]
    assert (judgement.more["a.fallen"], judgement.more["b.fallen"]) == (0, 1)


@settings(max_examples=25, deadline=None)
@given(at=st.floats(3, 6))
def test_a_fall_is_found_at_any_pace_of_pictures(at: float) -> None:
    slow, quick = (watch(scene(), falls(at), fps, 16.0) for fps in (2.0, 10.0))
    for fact in ("fallen", "lying_still"):
        late, early = first(slow, fact), first(quick, fact)
        assert late is not None and early is not None and abs(late - early) <= 0.6


def runner(speed: float) -> Play:
    """Return somebody who goes over the picture at so many heights of 100 pixels per second."""
    return lambda at_s: [standing(40 + 100 * speed * at_s)] if speed * at_s < 5.6 else []


@pytest.mark.parametrize("fps", [2.0, 5.0, 10.0])
def test_who_runs_is_told_from_who_walks(fps: float) -> None:
    assert ever(watch(scene(), runner(2.0), fps, 3.0), "running")
    assert not ever(watch(scene(), runner(1.0), fps, 6.0), "running")


def test_a_trembling_box_does_not_run() -> None:
    seen = watch(scene(), lambda at_s: [standing(300 + (20 if round(at_s * 5) % 2 else -20))], 5.0, 6.0)
    assert not ever(seen, "running")


def test_who_stops_runs_no_more() -> None:
    seen = watch(scene(), lambda at_s: [standing(40 + 200 * min(at_s, 2.2))], 5.0, 6.0)
    assert ever(seen, "running") and seen[-1][1].more["hall.running"] == 0 and not seen[-1][1].unsure


@settings(max_examples=25, deadline=None)
@given(st.floats(0.2, 1.3) | st.floats(1.7, 2.2))
def test_whether_somebody_runs_does_not_depend_on_the_pace_of_pictures(speed: float) -> None:
    ran = [ever(watch(scene(), runner(speed), fps, 3.0), "running") for fps in (2.0, 10.0)]
    assert ran == [speed > 1.5] * 2


def test_running_needs_two_pictures_a_second() -> None:
    with pytest.raises(ValueError, match="1 pictures a second do not show who runs; 'fps' must be 2 or more"):
        CameraOptions(source="usb:0", fps=1, zones={"a": ZoneOptions(polygon=WHOLE, running_above=1.5)})


def test_a_fall_is_not_surely_over_when_the_camera_sees_again() -> None:
    watched = scene()
    watch(watched, falls(4.0), 5.0, 10.0)
    seen = watch(watched, lambda _: [], 5.0, 130.0, 100.0)
    assert unsure(seen, "fallen") == [at_s for at_s, _ in seen]
    assert unsure(seen, "running") == [at_s for at_s, _ in seen if at_s < 102]
