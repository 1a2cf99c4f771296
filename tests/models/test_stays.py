"""Loitering and absence, in virtual time."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.core.clock import SystemClock
from agent.core.model import Quality
from models.behaviours import behaviours_of
from models.camera import CameraDriver
from models.detection import Box, Detection
from models.options import CameraOptions
from models.places import ZoneOptions
from models.scene import Judgement, Scene
from models.session import HIDDEN
from tests.models.cameras import camera, connected, read_until
from tests.models.people import TALL, Play, standing, watch

HALF = ((0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0))
INSIDE, OUTSIDE = 160.0, 480.0
Seen = list[tuple[float, Judgement]]


def scene(loiter_after: float = 10.0) -> Scene:
    return Scene({"desk": ZoneOptions(polygon=HALF, demand=(), post=True, loiter_after=loiter_after)}, 0.5)


def between(start_s: float, end_s: float, x: float = INSIDE) -> Play:
    """Return somebody who is there from ``start_s`` to before ``end_s``."""
    return lambda at_s: [standing(x)] if start_s <= at_s < end_s else []


def values(seen: Seen, fact: str) -> dict[float, float]:
    return {round(at_s, 1): judgement.more[f"desk.{fact}"] for at_s, judgement in seen}


def unsure(seen: Seen, fact: str) -> list[float]:
    return [round(at_s, 1) for at_s, judgement in seen if f"desk.{fact}" in judgement.unsure]


def test_who_stays_longer_than_the_limit_loiters() -> None:
    loitering = values(watch(scene(), between(0, 99), 5.0, 12.0), "loitering")
    assert next(at_s for at_s, count in loitering.items() if count) == pytest.approx(10.0)
    assert loitering[12.0] == 1


def test_until_the_limit_was_watched_nobody_can_say_that_nobody_loiters() -> None:
    assert unsure(watch(scene(), between(0, 0), 5.0, 12.0), "loitering")[-1] == 9.8


def test_who_passes_through_does_not_loiter_and_that_is_sure() -> None:
    seen = watch(scene(15.0), between(16, 19), 5.0, 35.0)
    assert not any(values(seen, "loitering").values())
    assert unsure(seen, "loitering")[-1] < 15


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(0.0, 1.4), min_size=3, max_size=8))
def test_a_gap_within_which_the_tracker_loses_nobody_resets_nothing(gaps: list[float]) -> None:
    """Seen for a second, then not seen for a while, again and again."""
    starts = [sum(gaps[:number]) + number for number in range(len(gaps) + 1)]

    def play(at_s: float) -> list[Detection]:
        return [standing(INSIDE)] if any(0 <= at_s - start < 1 for start in starts) else []

    seen = watch(scene(3.0), play, 5.0, starts[-1] + 0.9)
    assert seen[-1][1].more["desk.loitering"] == 1


def test_a_loiterer_who_is_lost_is_not_sure_to_have_gone_and_goes_on_loitering_when_seen_again() -> None:
    seen = watch(scene(), lambda at_s: [] if 15 <= at_s < 20 else [standing(INSIDE)], 5.0, 25.0)
    assert set(unsure(seen, "loitering")) >= {17.0, 18.0, 19.0}
    assert values(seen, "longest_stay")[25.0] == pytest.approx(25.0)


def test_a_loiterer_who_is_seen_to_leave_is_gone_at_once() -> None:
    def play(at_s: float) -> list[Detection]:
        return [standing(INSIDE if at_s < 15 else min(INSIDE + 60 * (at_s - 15), OUTSIDE))]

    seen = watch(scene(), play, 5.0, 25.0)
    assert values(seen, "loitering")[15.0] == 1 and values(seen, "loitering")[20.0] == 0
    assert not [at_s for at_s in unsure(seen, "loitering") if at_s > 10]


def test_blindness_neither_ends_a_stay_nor_makes_it_longer() -> None:
    watched = scene()
    watch(watched, between(0, 99), 5.0, 8.0)
    after = watch(watched, between(0, 9999), 5.0, 1004.0, 1000.0)
    assert values(after, "longest_stay")[1004.0] == pytest.approx(12.0, abs=0.3)


def test_an_absence_begins_when_somebody_was_last_there_and_ends_when_somebody_comes() -> None:
    absent = values(watch(scene(), lambda at_s: [] if 5 <= at_s < 12 else [standing(INSIDE)], 5.0, 15.0), "absent_for")
    assert (absent[4.8], absent[13.0]) == (0.0, 0.0)
    assert absent[11.8] == pytest.approx(7.0)


def test_somebody_elsewhere_is_absent() -> None:
    assert values(watch(scene(), between(0, 99, OUTSIDE), 5.0, 8.0), "absent_for")[8.0] == pytest.approx(8.0)


def test_an_absence_is_unsure_until_somebody_was_there() -> None:
    seen = watch(scene(), between(4, 8), 5.0, 12.0)
    assert unsure(seen, "absent_for")[-1] == 4.2


def test_blindness_makes_no_absence() -> None:
    watched = scene()
    watch(watched, between(0, 8), 5.0, 10.0)
    assert values(watch(watched, between(0, 0), 5.0, 1000.0, 1000.0), "absent_for")[1000.0] == pytest.approx(2.2)


def test_who_was_hidden_when_lost_may_still_be_at_the_post() -> None:
    """Somebody comes in between and stays outside the zone's floor; the one behind is not found any more."""
    near = standing(INSIDE + 20, feet=470, tall=340)

    def play(at_s: float) -> list[Detection]:
        far = standing(INSIDE + 10, feet=290)
        return [far] if at_s < 4 else [far, near] if at_s < 5 else [near]

    front = ((0.0, 0.0), (0.5, 0.0), (0.5, 0.7), (0.0, 0.7))
    watched = Scene({"desk": ZoneOptions(polygon=front, demand=(), post=True)}, 0.5)
    seen = watch(watched, play, 5.0, 9.0)
    assert values(seen, "absent_for")[4.8] == 0 and values(seen, "absent_for")[9.0] > 3
    assert next(at_s for at_s in unsure(seen, "absent_for") if at_s > 2) == 4.0
    assert unsure(seen, "absent_for")[-1] == 9.0


FLOOR = ZoneOptions(polygon=((0.0, 0.57), (0.5, 0.57), (0.5, 1.0), (0.0, 1.0)), demand=(), post=True)
"""The floor behind a desk: it begins at 274 pixels, and who stands there has the feet at 300."""


def behind_desk(shown: float, x: float = INSIDE) -> Detection:
    """Return somebody whose legs a desk hides: the upper ``shown`` part of a person."""
    whole = standing(x).box
    return Detection(Box(whole.left, whole.top, whole.right, whole.top + shown * TALL), 0.9)


@settings(max_examples=25, deadline=None)
@given(shown=st.floats(0.3, 0.75), is_known=st.booleans())
def test_whose_legs_a_desk_hides_is_never_absent_for_certain(shown: float, is_known: bool) -> None:
    """Seen from top to toe before, or not; sits down behind the desk at 4 s, and is not found any more from 8 s on."""
    shown = shown if is_known else min(shown, 0.65)

    def play(at_s: float) -> list[Detection]:
        return [] if at_s >= 8 else [standing(INSIDE) if is_known and at_s < 4 else behind_desk(shown)]

    seen = watch(Scene({"desk": FLOOR}, 0.5), play, 5.0, 20.0)
    absent, doubtful = values(seen, "absent_for"), unsure(seen, "absent_for")
    assert not [at_s for at_s, passed_s in absent.items() if at_s >= 2 and passed_s > 0.4 and at_s not in doubtful]
    assert absent[7.8] <= 0.4 and absent[20.0] == pytest.approx(12.2, abs=0.5)


def test_who_passes_behind_the_desk_holds_an_absence_and_is_seen_to_go() -> None:
    def play(at_s: float) -> list[Detection]:
        if at_s < 4:
            return [standing(INSIDE)]
        if 10 <= at_s < 14:
            x = 60 + 60 * (at_s - 10)
            return [behind_desk(0.5, x)]
        return [standing(300 + 60 * (at_s - 14), feet=260)] if 14 <= at_s < 18 else []

    seen = watch(Scene({"desk": FLOOR}, 0.5), play, 5.0, 24.0)
    absent = values(seen, "absent_for")
    assert absent[10.0] == pytest.approx(6.2, abs=0.5) and absent[13.8] - absent[10.0] < 1.0
    assert absent[24.0] - absent[14.0] == pytest.approx(10, abs=0.3)
    assert [at_s for at_s in unsure(seen, "absent_for") if at_s > 2][-1] == pytest.approx(13.8, abs=0.5)


def test_who_is_lost_at_the_edge_of_the_picture_may_still_be_at_the_post() -> None:
    seen = watch(scene(), lambda at_s: [standing(INSIDE, feet=480)] if at_s < 5 else [], 5.0, 10.0)
    assert values(seen, "absent_for")[10.0] > 4 and unsure(seen, "absent_for")[-1] == 10.0


@settings(max_examples=30, deadline=None)
@given(start=st.floats(0, 5), stay=st.floats(3, 20))
def test_stays_and_absences_do_not_depend_on_the_pace_of_pictures(start: float, stay: float) -> None:
    """Within one period of the slower pace; ``start`` and end fall anywhere between the pictures."""
    slow, quick = (watch(scene(4.0), between(start, start + stay), fps, 30.0) for fps in (2.0, 10.0))
    for fact in ("longest_stay", "absent_for"):
        late, early = values(slow, fact), values(quick, fact)
        settled = [at_s for at_s in late if start + 1.5 < at_s < start + stay or at_s > start + stay + 2]
        assert all(abs(late[at_s] - early[at_s]) <= 0.55 for at_s in settled)
    loiters = [[at_s for at_s, count in values(seen, "loitering").items() if count] for seen in (slow, quick)]
    if abs(stay - 4) > 0.6:
        assert bool(loiters[0]) is bool(loiters[1]) is (stay > 4)
        assert stay < 4 or abs(loiters[0][0] - loiters[1][0]) <= 0.6


def test_what_is_asked_of_a_zone_are_its_facts() -> None:
    zone = ZoneOptions(polygon=HALF, demand=(), post=True, loiter_after=60.0)
    options = CameraOptions(source="usb:0", zones={"desk": zone})
    judged = Scene({"desk": zone}, 0.5).judge([], 640, 480, 0.0)
    points = {info.id: info for info in CameraDriver("gate", options, SystemClock()).points}
    assert {f"gate.{name}" for name in judged.more} == {f"gate.desk.{fact}" for fact in zone.facts} <= set(points)
    assert points["gate.desk.absent_for"].unit == "s"
    assert not behaviours_of(ZoneOptions(polygon=HALF))


async def test_a_live_camera_gives_these_facts_and_says_which_are_uncertain() -> None:
    zone = {"polygon": [[0, 0.2], [1, 0.2], [1, 1], [0, 1]], "demand": [], "post": True, "loiter_after": "1h"}
    driver = camera(zones={"yard": zone}, lines={"way": {"points": [[0.5, 1], [0.5, 0]]}})
    async with connected(driver) as session:
        facts = await read_until(session, lambda facts: facts["gate.yard.absent_for"].quality is Quality.GOOD)
        assert set(facts) == {point.id for point in driver.points}
        loitering = facts["gate.yard.loitering"]
        assert (loitering.quality, loitering.value) == (Quality.UNCERTAIN, 0) and loitering.reason == HIDDEN
        assert facts["gate.yard.longest_stay"].value not in (None, 0)
        asked = asyncio.create_task(session.prove())
        await read_until(session, lambda _: asked.done(), 20.0)
        proven = {sample.point for sample in asked.result().facts}
        assert "gate.persons" in proven and "gate.way.crossed" not in proven
