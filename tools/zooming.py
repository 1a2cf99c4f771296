"""What ``crop: zones`` gains for people who are far away: the same people looked for in all of a picture and in a part.

About the feet of each labelled person of less than a third of the picture's height lies a zone of 0.4 x 0.2 of the
picture; its part is what a camera with that one zone would look at. Boxes are compared in pixels of the whole picture.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
from rich.table import Table

from models.cropping import Crop
from models.detection import Box
from models.framing import around
from models.geometry import iou
from models.inference import Picture, Vision
from tools.footage import read
from tools.labels import Labelled
from tools.measure import MATCH_IOU, NOBODY_IOU

FAR = 1 / 3
"""Of the picture's height: who is less tall is far away."""
ZONE = (0.4, 0.2)
BANDS = (0.0, 0.04, 0.08, 0.125, 0.25, FAR)
"""Heights as shares of the picture's at which a band begins, and the last one ends."""
LINES = (640, 360)
"""Of the stream: as the pictures are, and what a usual sub-stream has, of which a part shows nothing more."""
SHOWN_PX = 360
"""Heights are told in pixels of a picture so high."""


@dataclass(frozen=True, slots=True)
class Try:
    """Somebody ``height`` (share of the picture) tall: found in the whole picture, in the part; how often larger.

    ``strays`` counts boxes with their feet in the zone that are on nobody, in the whole picture and in the part.
    """

    height: float
    whole: bool
    part: bool
    zoom: float
    strays: tuple[int, int]


def tries(labelled: Iterable[Labelled], vision: Vision, sure: float, lines: int) -> Iterator[Try]:
    """Yield what became of everybody who is far away, of a camera that gives so many lines."""
    for case in labelled:
        picture = read(case.picture)
        share = lines / picture.shape[0]
        picture = np.asarray(cv2.resize(picture, None, fx=share, fy=share, interpolation=cv2.INTER_AREA), np.uint8)
        high, wide = picture.shape[:2]
        boxes = [truth.box for truth in case.persons]
        truths = [Box(box.left * share, box.top * share, box.right * share, box.bottom * share) for box in boxes]
        far = [box for box in truths if box.height < FAR * high]
        seen = people(picture, vision, sure) if far else []
        for box in far:
            zone = zone_about(box.centre[0] / wide, min(1.0, box.bottom / high))
            crop = Crop(*around(zone))
            found = within(picture, crop, vision, sure)
            place = Box(zone[0][0] * wide, zone[0][1] * high, zone[1][0] * wide, zone[1][1] * high)
            strays = (_strays(seen, truths, place), _strays(found, truths, place))
            zoom = 1 / (crop.right - crop.left)
            yield Try(box.height / high, _is_among(box, seen), _is_among(box, found), zoom, strays)


def zone_about(x: float, y: float) -> list[tuple[float, float]]:
    """Return two corners of the zone about somebody's feet, inside the picture; all are shares."""
    left = min(max(0.0, x - ZONE[0] / 2), 1 - ZONE[0])
    top = min(max(0.0, y - ZONE[1] / 2), 1 - ZONE[1])
    return [(left, top), (left + ZONE[0], top + ZONE[1])]


def people(picture: Picture, vision: Vision, sure: float) -> list[Box]:
    """Return everybody who is believed."""
    return [item.box for item in vision.look(picture, wanted=lambda _: False) if item.score >= sure]


def within(picture: Picture, crop: Crop, vision: Vision, sure: float) -> list[Box]:
    """Return everybody who is believed in a part, in pixels of the whole picture."""
    left, top = int(crop.left * picture.shape[1]), int(crop.top * picture.shape[0])
    boxes = people(crop.cut(picture), vision, sure)
    return [Box(box.left + left, box.top + top, box.right + left, box.bottom + top) for box in boxes]


def gain(found: Sequence[Try], lines: int) -> Table:
    """Return a table of persons found, by height."""
    table = Table("px of 360", "persons", "found in all of it", "found in the part", "larger", "on nobody: all, part")
    table.title = f"crop: zones on {lines} lines, for people less than a third of the picture tall"
    bands = [*pairwise(BANDS), (0.0, FAR)]
    for low, high in bands:
        here = [each for each in found if low <= each.height < high]
        table.add_row(f"{low * SHOWN_PX:.0f}-{high * SHOWN_PX:.0f}", str(len(here)), *_cells(here))
    return table


def _cells(here: Sequence[Try]) -> list[str]:
    if not here:
        return ["-"] * 4
    whole, part = sum(each.whole for each in here), sum(each.part for each in here)
    zoom = sum(each.zoom for each in here) / len(here)
    strays = [sum(each.strays[i] for each in here) for i in (0, 1)]
    shares = [f"{count / len(here):.2f} ({count})" for count in (whole, part)]
    return [*shares, f"{zoom:.1f}x", f"{strays[0]}, {strays[1]}"]


def _is_among(box: Box, found: Sequence[Box]) -> bool:
    return any(iou(box, other) >= MATCH_IOU for other in found)


def _strays(found: Sequence[Box], truths: Sequence[Box], place: Box) -> int:
    here = [box for box in found if place.left <= box.centre[0] <= place.right]
    here = [box for box in here if place.top <= box.bottom <= place.bottom]
    return sum(not any(iou(box, truth) >= NOBODY_IOU for truth in truths) for box in here)
