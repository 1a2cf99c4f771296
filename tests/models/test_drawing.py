"""What people see of a line: where it is, which way counts, and that it was crossed."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from models.drawing import annotate
from models.places import LineOptions, Way
from models.scene import Count, Judgement

UP = ((0.5, 1.0), (0.5, 0.1))


def drawn(counts: Way, crossed: int = 0, points: tuple[tuple[float, float], ...] = UP) -> np.ndarray:
    """Return a black picture of 640 x 360 with one line, in the colours of OpenCV."""
    judgement = Judgement(Count(), {}, (), {"door.crossed": crossed})
    jpeg = annotate(
        np.zeros((360, 640, 3), np.uint8), judgement, (), {"door": LineOptions(points=points, counts=counts)}
    )
    picture = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    return picture


def sides(picture: np.ndarray) -> tuple[int, int]:
    """Return how much is drawn left and right of the middle, above the name."""
    bright = picture[:320].max(axis=2) > 100
    return int(bright[:, :315].sum()), int(bright[:, 325:].sum())


@pytest.mark.parametrize(("counts", "heads"), [("left_to_right", "right"), ("right_to_left", "left"), ("both", "both")])
def test_the_arrow_shows_the_way_that_counts(counts: Way, heads: str) -> None:
    left, right = sides(drawn(counts))
    assert left and right
    if heads == "both":
        assert abs(left - right) < 0.2 * left
    else:
        assert (left > 1.2 * right, right > 1.2 * left) == (heads == "left", heads == "right")


def test_the_arrow_turns_with_the_line() -> None:
    """Left and right are the hands of who looks from its first point to its second."""
    left, right = sides(drawn("left_to_right", points=(UP[1], UP[0])))
    assert left > 1.2 * right


def test_a_line_that_was_crossed_is_red() -> None:
    calm, alarmed = (drawn("both", crossed)[180, 320] for crossed in (0, 2))
    assert calm[0] > calm[2] and alarmed[2] > 2 * alarmed[0]
