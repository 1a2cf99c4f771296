"""What ``site.yaml`` may say of parts of a camera's picture: its zones, its lines, and the part that is looked at."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag

from agent.core.durations import Duration
from agent.core.options import Options
from models.vocabulary import Gear

Point = tuple[float, float]
"""x and y as shares of the picture's width and height, from its upper left corner."""
Share = Annotated[float, Field(ge=0, le=1)]
LEAST_CROP = 0.1


def _polygon(points: tuple[Point, ...]) -> tuple[Point, ...]:
    if len(points) < 3:
        raise ValueError(f"a polygon needs at least 3 points [x, y], not {len(points)}")
    _inside(points)
    if _area(points) < 1e-4:
        raise ValueError("the polygon has no area; its points lie on one line")
    return points


def _area(points: tuple[Point, ...]) -> float:
    pairs = zip(points, (*points[1:], points[0]), strict=True)
    return abs(sum(a[0] * b[1] - b[0] * a[1] for a, b in pairs)) / 2


def _line(points: tuple[Point, ...]) -> tuple[Point, ...]:
    if len(points) != 2:
        raise ValueError(f"a line has 2 points [x, y], not {len(points)}")
    _inside(points)
    if math.dist(*points) < 0.01:
        raise ValueError("the line's two points are one; draw it from one side of the way to the other")
    return points


def _inside(points: tuple[Point, ...]) -> None:
    outside = next((point for point in points if not all(0 <= part <= 1 for part in point)), None)
    if outside is not None:
        raise ValueError(
            f"point {list(outside)} lies outside the picture; x and y are shares of its width and height, from 0 to 1"
        )


def _post(value: object) -> object:
    if not isinstance(value, bool):
        raise ValueError(f"{value!r} is not true or false; for how long it may be empty says a rule about absent_for")
    return value


def _heights(value: object) -> object:
    if isinstance(value, str):
        raise ValueError(f"{value!r} is not a number; it is counted in the person's own heights, such as 1.5")
    return value


Heights = Annotated[float, BeforeValidator(_heights)]


class ZoneOptions(Options):
    """A part of the picture and the equipment that people in it must wear."""

    polygon: Annotated[tuple[Point, ...], AfterValidator(_polygon)]
    demand: tuple[Gear, ...] = (Gear.HELMET, Gear.VEST)
    loiter_after: Duration | None = Field(default=None, gt=0, le=86400, description="who stays so long loiters")
    post: Annotated[bool, BeforeValidator(_post)] = Field(
        default=False, description="somebody should be here: say how long nobody is"
    )
    vehicle_within: Heights | None = Field(
        default=None, gt=0, le=10, description="a vehicle is near somebody so many of their heights away"
    )
    still_after: Duration | None = Field(default=None, ge=2, le=3600, description="who lies so long lies still")
    running_above: Heights | None = Field(
        default=None, gt=0, le=10, description="heights per second; walking is below 1"
    )

    @property
    def facts(self) -> list[str]:
        """The names of the facts that the zone's behaviours give."""
        asked = {
            "longest_stay": self.loiter_after is not None,
            "loitering": self.loiter_after is not None,
            "absent_for": self.post,
            "vehicle_near": self.vehicle_within is not None,
            "fallen": self.still_after is not None,
            "lying_still": self.still_after is not None,
            "running": self.running_above is not None,
        }
        return [fact for fact, is_asked in asked.items() if is_asked]


def _crop(crop: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
    left, top, right, bottom = crop
    if right - left < LEAST_CROP or bottom - top < LEAST_CROP:
        raise ValueError(
            f"the part is left, top, right, bottom, and {LEAST_CROP:g} of the picture wide and high at least"
        )
    return crop


def _crop_word(crop: object) -> object:
    if crop != "zones":
        raise ValueError(f"{crop!r} is no part of a picture; write [left, top, right, bottom], or zones")
    return crop


Crop = Annotated[
    Annotated[Literal["zones"], BeforeValidator(_crop_word), Tag("zones")]
    | Annotated[tuple[Share, Share, Share, Share], AfterValidator(_crop), Tag("part")],
    Discriminator(lambda crop: "zones" if isinstance(crop, str) else "part"),
]
Way = Literal["left_to_right", "right_to_left", "both"]


class LineOptions(Options):
    """A line on the floor. Left and right are the hands of somebody who looks from the first point to the second."""

    points: Annotated[tuple[Point, ...], AfterValidator(_line)]
    counts: Way = "both"
    within: Duration = Field(default=5.0, gt=0, le=3600, description="how long a crossing is counted")
