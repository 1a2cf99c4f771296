"""Boxes and polygons. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from models.detection import Box, Person

CUT_PX = 2.0
SAME_SHARE, SAME_FEET = 0.8, 0.1
"""In shares of a box: how much of it another one holds, and how far apart the feet are, of what may be one person."""


def overlap(a: Box, b: Box) -> float:
    """Return the common area in square pixels."""
    width = min(a.right, b.right) - max(a.left, b.left)
    if width <= 0:
        return 0.0
    return width * max(0.0, min(a.bottom, b.bottom) - max(a.top, b.top))


def iou(a: Box, b: Box) -> float:
    """Return intersection over union, 0..1."""
    common = overlap(a, b)
    return common / (a.area + b.area - common) if common > 0 else 0.0


def distance(a: Box, b: Box) -> float:
    """Return how far the centres are apart, in lengths of the longer box."""
    (ax, ay), (bx, by) = a.centre, b.centre
    return math.hypot(ax - bx, ay - by) / max(a.length, b.length, 1.0)


def covered(box: Box, others: Iterable[Box]) -> float:
    """Return the share of ``box`` that whoever stands nearer hides, 0..1; the lower feet are nearer."""
    nearer = (overlap(box, other) for other in others if other is not box and other.bottom > box.bottom)
    return min(1.0, max(nearer, default=0.0) / max(box.area, 1.0))


def stands_on_other_feet(box: Box, others: Iterable[Box]) -> bool:
    """Tell whether ``box`` holds (nearly) all of another with the same lower edge: it may be one box over several."""
    return any(
        other is not box
        and overlap(box, other) >= SAME_SHARE * other.area
        and other.area < box.area
        and abs(box.bottom - other.bottom) <= SAME_FEET * box.height
        for other in others
    )


def is_cut(box: Box, width: int, height: int) -> bool:
    """Tell whether the edge of a picture of this size cuts the box off."""
    edge = CUT_PX
    return box.left <= edge or box.top <= edge or box.right >= width - edge or box.bottom >= height - edge


def inside(point: tuple[float, float], polygon: Sequence[tuple[float, float]]) -> bool:
    """Tell whether ``point`` lies in ``polygon`` (even-odd rule); both in the same unit."""
    x, y = point
    result = False
    for (ax, ay), (bx, by) in zip(polygon, (*polygon[1:], polygon[0]), strict=True):
        if (ay > y) != (by > y) and x < (bx - ax) * (y - ay) / (by - ay) + ax:
            result = not result
    return result


def passes(x: float, top: float, bottom: float, polygon: Sequence[tuple[float, float]]) -> bool:
    """Tell whether the upright line from (x, top) to (x, bottom) touches ``polygon``; all in the same unit."""
    for (ax, ay), (bx, by) in zip(polygon, (*polygon[1:], polygon[0]), strict=True):
        if (ax > x) != (bx > x) and top <= ay + (x - ax) / (bx - ax) * (by - ay) <= bottom:
            return True
    return inside((x, top), polygon)


def without_parts(persons: Sequence[Person]) -> list[Person]:
    """Drop boxes that are the upper body of a surer person, by falling score."""
    kept: list[Person] = []
    for person in sorted(persons, key=lambda found: -found.score):
        if not any(_is_part(person.box, whole.box) for whole in kept):
            kept.append(person)
    return kept


def _is_part(part: Box, whole: Box) -> bool:
    if abs(part.top - whole.top) >= 0.2 * whole.height:  # another head
        return False
    area = part.area
    return area < whole.area and overlap(part, whole) > 0.85 * area
