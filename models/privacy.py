"""Makes heads unrecognisable, in doubt rather too many than too few. No face model: a person's box says where it is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import cv2
import numpy as np
import numpy.typing as npt

from models.detection import Box, Detection
from models.vocabulary import Thing

Picture = npt.NDArray[np.uint8]
BLOCKS, LEAST_BLOCK_PX = 12, 6
_HEAD_SHARE = 0.35
"""Of a person's height: a head is a seventh of who stands, and a third of who sits or is cut off at the waist."""
_HEAD_WIDTHS = 0.9
"""Of a person's width: of a portrait, the head is most of the box."""
_MARGIN_WIDE, _MARGIN_HIGH = 0.15, 0.1


_AT_A_FACE = frozenset((Thing.FALLEN, Thing.SMOKING, Thing.PHONE))
"""Where one of these is, a face is in its box."""


def faces(found: Iterable[Detection]) -> Iterator[Box]:
    """Yield where faces may be, of whoever was found with the least score."""
    for each in found:
        if each.thing is Thing.PERSON:
            yield head_zone(each.box)
        elif each.thing in _AT_A_FACE:
            yield each.box


def head_zone(person: Box) -> Box:
    """Return where the head of a person may be, with a margin; all of somebody who lies."""
    dx, dy = _MARGIN_WIDE * person.width, _MARGIN_HIGH * person.height
    lies = person.width >= person.height
    depth = max(_HEAD_SHARE * person.height, _HEAD_WIDTHS * person.width)
    bottom = person.bottom + dy if lies else min(person.top + depth, person.bottom)
    return Box(person.left - dx, person.top - dy, person.right + dx, bottom)


def pixelate(picture: Picture, zones: Iterable[Box]) -> Picture:
    """Return a copy of ``picture`` in which each zone is 12 x 12 blocks of one colour each, fewer where it is small."""
    result = picture.copy()
    height, width = picture.shape[:2]
    for zone in zones:
        part = zone.clipped(width, height)
        left, top = int(part.left), int(part.top)
        view = result[top : int(np.ceil(part.bottom)), left : int(np.ceil(part.right))]
        if view.size:
            view[:] = _coarse(view)
    return result


def pixelate_all(picture: Picture) -> Picture:
    """Return a copy of which nothing but colours is left: for a picture in which nobody was looked for."""
    height, width = picture.shape[:2]
    return pixelate(picture, [Box(0, 0, width, height)])


def _coarse(part: Picture) -> Picture:
    height, width = part.shape[:2]
    across, down = (min(BLOCKS, max(1, size // LEAST_BLOCK_PX)) for size in (width, height))
    blocks = cv2.resize(part, (across, down), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(blocks, (width, height), interpolation=cv2.INTER_NEAREST), np.uint8)
