"""A part of the picture that is looked at as if it were all of it."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.cropping import Crop, cropped
from models.framing import around
from models.options import CameraOptions
from models.places import LEAST_CROP
from tests.models.cameras import ZONES, camera, connected, read_until

SHARES = st.floats(0, 1)
LEFT_HALF = {"left": {"polygon": [[0.1, 0.3], [0.4, 0.3], [0.4, 0.9]]}}


@st.composite
def crops(draw: st.DrawFn) -> Crop:
    left, top = draw(st.floats(0, 1 - LEAST_CROP)), draw(st.floats(0, 1 - LEAST_CROP))
    return Crop(left, top, draw(st.floats(left + LEAST_CROP, 1)), draw(st.floats(top + LEAST_CROP, 1)))


@given(crops(), SHARES, SHARES, st.integers(320, 700), st.integers(320, 400))
def test_a_point_is_at_the_same_place_of_the_scene(crop: Crop, x: float, y: float, width: int, height: int) -> None:
    """What stood on a pixel of the picture stands on it in the part, but for rounding."""
    x, y = crop.left + x * (crop.right - crop.left), crop.top + y * (crop.bottom - crop.top)
    across, down = np.meshgrid(np.arange(width), np.arange(height))
    part = crop.cut(np.dstack([across, down]).astype(np.uint16))
    high, wide = part.shape[:2]
    assert (high % 2, wide % 2) == (0, 0)
    at_x, at_y = crop.place((x, y))
    pixel = part[min(high - 1, int(at_y * high)), min(wide - 1, int(at_x * wide))]
    assert abs(int(pixel[0]) - x * width) <= 4 and abs(int(pixel[1]) - y * height) <= 4


def test_places_are_shares_of_the_part_and_without_one_nothing_changes() -> None:
    lines = {"door": {"points": [[0.1, 0.5], [0.4, 0.5]]}}
    whole = CameraOptions.model_validate({"source": "usb:0", "zones": LEFT_HALF, "lines": lines})
    part = cropped(whole.model_copy(update={"crop": (0.0, 0.2, 0.5, 1.0)}))
    assert np.allclose(part.zones["left"].polygon, [(0.2, 0.125), (0.8, 0.125), (0.8, 0.875)])
    assert np.allclose(part.lines["door"].points, [(0.2, 0.375), (0.8, 0.375)])
    assert cropped(whole) is whole


PLACES = st.lists(st.tuples(SHARES, SHARES), min_size=2, max_size=6)


@given(PLACES, st.data())
def test_whoever_stands_at_a_zone_is_in_its_part_from_head_to_foot(
    places: list[tuple[float, float]], data: st.DataObject
) -> None:
    left, top, right, bottom = part = around(places)
    assert right - left == pytest.approx(bottom - top) and min(part) >= 0 and max(part) <= 1 + 1e-9
    weights = data.draw(st.lists(st.floats(0.01, 1), min_size=len(places), max_size=len(places)))
    x, y = (sum(w * place[i] for w, place in zip(weights, places, strict=True)) / sum(weights) for i in (0, 1))
    height = data.draw(st.floats(0.02, max(0.25, y / 2)))  # of the picture
    wide = min(height / 3, 0.16) / 2
    assert left - 1e-9 <= max(0.0, x - wide) and min(1.0, x + wide) <= right + 1e-9
    assert top - 1e-9 <= max(0.0, y - height) and y <= bottom + 1e-9


def test_the_part_about_the_zones_is_named_and_followed() -> None:
    far = {"far": {"polygon": [[0.5, 0.5], [0.7, 0.5], [0.7, 0.6], [0.5, 0.6]]}}
    options = CameraOptions.model_validate({"source": "usb:0", "zones": far, "crop": "zones"})
    assert options.part == pytest.approx((0.405, 0.25, 0.795, 0.64))
    placed = cropped(options)
    assert placed.part is None and min(y for _, y in placed.zones["far"].polygon) > 0.6


async def test_a_worker_looks_at_the_part_only_and_shows_nothing_else() -> None:
    driver = camera(
        zones={"yard": {**ZONES["yard"], "polygon": [[0, 0.2], [0.5, 0.2], [0.5, 1], [0, 1]]}}, crop=[0, 0.1, 0.5, 1]
    )
    async with connected(driver) as session:
        await read_until(session, lambda facts: (facts["gate.yard.persons"].value or 0) != 0)
        picture = driver.picture()
        assert picture is not None
        shown = cv2.imdecode(np.frombuffer(picture, np.uint8), cv2.IMREAD_COLOR)
        assert shown is not None and shown.shape == (518, 480, 3)
