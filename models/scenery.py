"""What looks a little like a person and was found out to be a part of the place: a post, a coat on a hook. Pure.

It is known by its pixels: whoever stands before it, or in its stead, changes them.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from models.detection import Box, Detection
from models.geometry import iou

Cells = npt.NDArray[np.uint8]
CHANGED = 10
"""Levels by which one colour of one cell must differ. A cell is the mean of 8 x 8 pixels of 640x360: the noise of a
sensor (8 levels) and of JPEG at quality 40 stays below, and a person 40 pixels high is wider than a cell."""
SAME_IOU, SAME_SCORE = 0.7, 0.05
DOUBTED_S = 10.0
"""So long it must have been looked at in each picture, in all, and found alike whenever nothing moved."""
_PASSING_S = 2.0
_MOST = 32
_SLACK_S = 1e-6


def is_changed(before: Cells, now: Cells) -> bool:
    """Tell whether any cell differs."""
    return bool(cv2.absdiff(before, now).max() >= CHANGED)


@dataclass(eq=False, slots=True)
class _Place:
    """Where something was in doubt; ``size`` and ``cells`` are the picture's, and for how long it was looked at."""

    item: Detection
    size: tuple[int, int]
    cells: Cells
    looked_s: float = 0.0

    def is_as_it_was(self, cells: Cells, size: tuple[int, int]) -> bool:
        return size == self.size and shows_the_same(self.item.box, self.cells, cells, size)

    def holds(self, item: Detection) -> bool:
        same = abs(self.item.score - item.score) <= SAME_SCORE and self.item.gear == item.gear
        return same and self.item.thing is item.thing and iou(self.item.box, item.box) >= SAME_IOU


class Scenery:
    """Give it every look. ``cells`` are those of the whole picture, ``size`` is its height and width in pixels."""

    def __init__(self) -> None:
        self._places: list[_Place] = []
        self._before: Cells | None = None

    def strange(
        self,
        found: Sequence[Detection],
        doubts: Collection[Detection],
        cells: Cells,
        size: tuple[int, int],
        step_s: float,
    ) -> list[Detection]:
        """Take up a look; return those in doubt that are no scenery.

        ``step_s`` is how long this place was looked at since the look before: 0 where a picture was left out.
        """
        here = [place for place in self._places if place.is_as_it_was(cells, size)]
        alike = [place for place in here if any(place.holds(item) for item in found)]
        for place in alike:
            place.looked_s += step_s
        self._forget(here, alike, cells)
        fresh = [item for item in doubts if not any(place.holds(item) for place in alike)]
        self._places += [_Place(item, size, cells) for item in fresh]
        self._places = sorted(self._places, key=lambda place: -place.looked_s)[:_MOST]
        known = [place for place in alike if place.looked_s >= DOUBTED_S - _SLACK_S]
        return [item for item in doubts if not any(place.holds(item) for place in known)]

    def _forget(self, here: Sequence[_Place], alike: Sequence[_Place], cells: Cells) -> None:
        """Forget what was passing, and all that is found now and then only: no longer while nothing changed at all."""
        before, self._before = self._before, cells
        is_still = before is not None and before.shape == cells.shape and not is_changed(before, cells)

        def lasts(place: _Place) -> bool:
            return place in alike or (place.looked_s >= _PASSING_S and not (is_still and place in here))

        self._places = [place for place in self._places if lasts(place)]


def shows_the_same(box: Box, before: Cells, now: Cells, size: tuple[int, int]) -> bool:
    """Tell whether no cell changed that a box touches, nor one beside them; ``size`` is that of both pictures."""
    return not is_changed(_around(box, before, size), _around(box, now, size))


def _around(box: Box, cells: Cells, size: tuple[int, int]) -> Cells:
    """Return the cells that a box touches, and those beside them."""
    down, across = cells.shape[0] / size[0], cells.shape[1] / size[1]
    top, left = max(0, int(box.top * down) - 1), max(0, int(box.left * across) - 1)
    return cells[top : int(box.bottom * down) + 2, left : int(box.right * across) + 2]
