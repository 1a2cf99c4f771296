"""Which part of a picture is worth looking at: that in which whoever is at a zone or line can be seen whole. Pure."""

from __future__ import annotations

from collections.abc import Iterable

Part = tuple[float, float, float, float]
"""Left, top, right, bottom as shares of the picture."""
ASIDE, BELOW = 0.08, 0.04
"""Room beside and below the places, as shares of the picture: half a person, and the rest of a shoe."""
LEAST_ABOVE, RISE = 0.25, 0.5
"""Room for heads above the places: a quarter of the picture, or half of the way to its upper edge if that is more.
Seen from 3.6 m up or more, with the horizon in the picture, whoever is 1.8 m tall reaches no higher."""


def around(places: Iterable[tuple[float, float]]) -> Part:
    """Return the part with room for everybody whose feet are at or between the places, in the picture's own shape.

    Of that shape it costs nothing more, and what it adds lies above, where heads are, or on both sides.
    """
    across, down = zip(*places, strict=True)
    highest, lowest = min(down), min(1.0, max(down) + BELOW)
    left, right = max(0.0, min(across) - ASIDE), min(1.0, max(across) + ASIDE)
    top = max(0.0, highest - max(LEAST_ABOVE, RISE * highest))
    side = max(right - left, lowest - top)
    left = min(max(0.0, (left + right - side) / 2), 1.0 - side)
    top = min(max(0.0, lowest - side), 1.0 - side)
    return (left, top, left + side, top + side)
