"""A part of the picture is looked at as if it were all of it: what is far away is larger then.

What lies outside is not judged, not kept and not shown. Pure but for the pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from models.options import CameraOptions
from models.places import Point

_LEAST_PX = 32


class Crop(NamedTuple):
    """Edges as shares of the picture."""

    left: float
    top: float
    right: float
    bottom: float

    def place(self, point: Point) -> Point:
        """Return where a point of the picture lies in the part, as shares of the part."""
        x, y = point
        return ((x - self.left) / (self.right - self.left), (y - self.top) / (self.bottom - self.top))

    def cut(self, picture: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """Return the part of a picture (height, width, 3); width and height are even, as video wants them."""
        height, width = picture.shape[:2]
        left, top = int(self.left * width), int(self.top * height)
        wide = max(_LEAST_PX, int((self.right - self.left) * width)) // 2 * 2
        high = max(_LEAST_PX, int((self.bottom - self.top) * height)) // 2 * 2
        return np.ascontiguousarray(picture[top : top + high, left : left + wide])


def cropped(options: CameraOptions) -> CameraOptions:
    """Return the options of a camera that sees the part only: places are shares of the part."""
    if options.part is None:
        return options
    crop = Crop(*options.part)
    zones = {
        name: zone.model_copy(update={"polygon": _placed(zone.polygon, crop)}) for name, zone in options.zones.items()
    }
    lines = {
        name: line.model_copy(update={"points": _placed(line.points, crop)}) for name, line in options.lines.items()
    }
    return options.model_copy(update={"zones": zones, "lines": lines, "crop": None})


def _placed(points: Sequence[Point], crop: Crop) -> tuple[Point, ...]:
    return tuple(crop.place(point) for point in points)
