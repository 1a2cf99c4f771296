"""Is a place inside a polygon? Pure."""

from __future__ import annotations

from collections.abc import Sequence

Corner = tuple[float, float]


def is_inside(x: float, y: float, polygon: Sequence[Corner]) -> bool:
    """Count the edges to the right of the place: an odd number is inside. On an edge either answer is right."""
    inside = False
    for (x1, y1), (x2, y2) in zip(polygon, (*polygon[1:], polygon[0]), strict=True):
        if (y1 > y) is not (y2 > y) and x < x1 + (y - y1) * (x2 - x1) / (y2 - y1):
            inside = not inside
    return inside
