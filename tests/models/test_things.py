"""Vehicles, fire and other things that a model finds, in virtual time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.core.clock import SystemClock
from agent.core.document import Document
from models.behaviours.things import Things
from models.behaviours.vehicles import LOST_S, way
from models.camera import CameraDriver
from models.detection import Box, Detection
from models.options import BUNDLED, CameraOptions
from models.places import ZoneOptions
from models.scene import Scene
from models.vocabulary import Thing
from tests.models.people import Play, standing, watch

LEFT = ((0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0))
TRUCK = Detection(Box(300, 180, 500, 320), 0.9, Thing.VEHICLE)
FIRE = Detection(Box(100, 200, 140, 240), 0.8, Thing.FIRE)


def scene() -> Scene:
    zones = {"left": ZoneOptions(polygon=LEFT, demand=(), vehicle_within=1.5)}
    return Scene(zones, 0.5, things=(Thing.VEHICLE, Thing.FIRE))


def last(play: Play, until_s: float = 5.0) -> tuple[dict[str, float], Sequence[str]]:
    _, judgement = watch(scene(), play, 5.0, until_s)[-1]
    return dict(judgement.more), judgement.unsure


def test_things_are_counted_in_the_picture_and_in_zones_and_are_no_people() -> None:
    play = watch(scene(), lambda _: [TRUCK, FIRE, standing(580)], 5.0, 5.0)
    facts, unsure = play[-1][1].more, play[-1][1].unsure
    assert facts == {"vehicles": 1, "left.vehicles": 0, "fire": 1, "left.fire": 1, "left.vehicle_near": 0}
    assert not unsure and play[-1][1].whole.persons == 0 and len(play[-1][1].seen) == 1


@given(st.integers(0, 24))
def test_a_flash_in_two_pictures_is_no_fire(at: int) -> None:
    flash = {at, at + 1}
    seen = watch(scene(), lambda at_s: [FIRE] if round(at_s * 5) in flash else [], 5.0, 6.0)
    assert not any(judgement.more["fire"] for _, judgement in seen)


def test_flames_that_change_their_shape_are_one_fire() -> None:
    def play(at_s: float) -> list[Detection]:
        grow = 30 * math.sin(at_s * 9)
        return [Detection(Box(100 - grow, 200 - grow, 160, 260), 0.8, Thing.FIRE)] if round(at_s * 5) % 4 else []

    counts = [judgement.more["fire"] for _, judgement in watch(scene(), play, 5.0, 10.0)]
    assert counts[5:] == [1] * len(counts[5:])


def test_before_two_seconds_were_watched_nobody_can_say_that_there_is_no_fire() -> None:
    seen = watch(scene(), lambda _: [], 5.0, 4.0)
    assert [at_s for at_s, judgement in seen if "left.fire" in judgement.unsure][-1] == pytest.approx(1.8)


def test_a_fire_outlasts_blindness_until_pictures_show_that_it_is_out() -> None:
    watched = scene()
    watch(watched, lambda _: [FIRE], 5.0, 4.0)
    counts = [judgement.more["fire"] for _, judgement in watch(watched, lambda _: [], 5.0, 605.0, 600.0)]
    assert counts[0] == 1 and counts[-1] == 0


@settings(max_examples=30, deadline=None)
@given(start=st.floats(0, 3), lasts=st.floats(6, 12))
def test_when_a_thing_is_there_does_not_depend_on_the_pace_of_pictures(start: float, lasts: float) -> None:
    """The slow pace needs two periods more for its three pictures; it then ends within one of them."""

    def play(at_s: float) -> list[Detection]:
        return [FIRE] if start <= at_s < start + lasts else []

    times = [
        [at_s for at_s, judgement in watch(scene(), play, fps, 25.0) if judgement.more["fire"]] for fps in (2.0, 10.0)
    ]
    assert abs(times[0][0] - times[1][0]) <= 1.5 and abs(times[0][-1] - times[1][-1]) <= 0.6


@pytest.mark.parametrize("period_s", [0.1, 0.5, 2.0, 4.0])
def test_however_slowly_pictures_come_a_thing_is_believed(period_s: float) -> None:
    things = Things()
    found = [things.update([FIRE], number * period_s) for number in range(25)]
    assert found[-1] == {Thing.FIRE: [FIRE.box]}


def test_near_is_measured_in_heights_from_feet_to_wheels() -> None:
    assert way(standing(250, feet=320).box, TRUCK.box) == pytest.approx(0.5)
    assert way(standing(400, feet=420).box, TRUCK.box) == pytest.approx(1.0)
    assert way(standing(400, feet=270).box, TRUCK.box) == math.inf, "the driver"


def test_somebody_near_a_vehicle_is_counted_with_a_margin_against_trembling() -> None:
    def facts(x: float) -> float:
        return last(lambda _: [TRUCK, standing(x)])[0]["left.vehicle_near"]

    assert (facts(280), facts(160), facts(100)) == (1, 1, 0)
    seen = watch(scene(), lambda at_s: [TRUCK, standing(160 if at_s < 3 else 130)], 5.0, 6.0)
    assert seen[-1][1].more["left.vehicle_near"] == 1


def test_who_is_cut_by_the_edge_or_small_makes_nearness_unsure() -> None:
    assert last(lambda _: [TRUCK, standing(10)])[1] == ["left.vehicle_near"]
    assert last(lambda _: [TRUCK, standing(60, tall=30)])[1] == ["left.vehicle_near"]
    assert last(lambda _: [TRUCK, standing(60)])[1] == []


def test_who_was_near_a_vehicle_and_is_lost_may_be_behind_it() -> None:
    def unsure(then: Play) -> list[float]:
        seen = watch(scene(), lambda at_s: [TRUCK, standing(280)] if at_s < 4 else then(at_s), 5.0, 24.0)
        return [at_s for at_s, judgement in seen if at_s > 2 and "left.vehicle_near" in judgement.unsure]

    doubt = unsure(lambda _: [TRUCK])
    assert 5.0 < doubt[0] < 6.5 and doubt[-1] - doubt[0] == pytest.approx(LOST_S, abs=0.3)
    assert max(unsure(lambda _: []), default=0) < 7.5, "where no vehicle is, nobody is near one"
    assert unsure(lambda at_s: [TRUCK, standing(max(60.0, 280 - 60 * (at_s - 4)))]) == [], "who walks away is seen to"


def bundle_of(folder: Path, *classes: str) -> Path:
    """Make a manifest whose detector has these classes."""
    (folder / "yard").mkdir()
    manifest = (BUNDLED / "ppe/manifest.yaml").read_text()
    known = next(line for line in manifest.splitlines() if line.startswith("  classes: ["))
    (folder / "yard/manifest.yaml").write_text(manifest.replace(known, f"  classes: [{', '.join(classes)}]", 1))
    return folder / "yard"


def test_what_the_model_offers_can_be_counted_and_nothing_else(tmp_path: Path) -> None:
    bundle_of(tmp_path, "person", "forklift", "fire")
    site = str(tmp_path / "site.yaml")
    text = f"source: usb:0\nmodel: ./yard\nzones: {{a: {{polygon: {[list(point) for point in LEFT]}}}}}\nthings: "
    options, faults = Document(site, f"{text}[vehicle, fire]").read(CameraOptions)
    assert not faults and options
    points = {info.id for info in CameraDriver("gate", options, SystemClock()).points}
    assert {"gate.vehicles", "gate.fire", "gate.a.vehicles", "gate.a.fire"} <= points
    assert not points & {"gate.smoke", "gate.vehicle_near"}
    _, faults = Document(site, f"{text}[smoke]").read(CameraOptions)
    assert "does not look for smoke; it offers fire, person, vehicle" in faults[0].message


def test_nearness_needs_a_model_that_finds_vehicles() -> None:
    with pytest.raises(ValueError, match="'ppe' does not look for vehicle; it offers person"):
        CameraOptions(source="usb:0", zones={"a": ZoneOptions(polygon=LEFT, vehicle_within=1.0)})
