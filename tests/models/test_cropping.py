"""A part of the picture that is looked at as if it were all of it."""

from __future__ import annotations

import cv2
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from models.cropping import Crop, cropped
from models.options import LEAST_CROP, CameraOptions
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
