"""The picture for people: zones, lines and persons drawn in."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from types import MappingProxyType

import cv2
import numpy as np
import numpy.typing as npt

from models.detection import Wearing
from models.places import LineOptions, Way, ZoneOptions
from models.scene import Judgement, Seen

Picture = npt.NDArray[np.uint8]
WIDEST_PX = 960
_QUALITY = 80
_RED, _GREEN, _AMBER, _GREY, _BLUE = (40, 40, 230), (60, 180, 60), (0, 170, 255), (160, 160, 160), (220, 160, 40)


_ARROW_SHARE = 0.06
"""Of the picture's width: how far an arrow reaches to each side of its line."""
_WAYS: dict[Way, tuple[int, ...]] = {"left_to_right": (1,), "right_to_left": (-1,), "both": (1, -1)}


def annotate(
    picture: Picture,
    judgement: Judgement,
    zones: Iterable[ZoneOptions],
    lines: Mapping[str, LineOptions] = MappingProxyType({}),
) -> bytes:
    """Return ``picture`` (BGR) as JPEG, at most 960 pixels wide, with zones, lines and persons drawn in.

    A line's arrow shows the way that counts; a line that was crossed within its time is red and says how often.
    """
    zoom = min(1.0, WIDEST_PX / picture.shape[1])
    canvas: Picture = picture.copy()
    if zoom < 1:
        canvas = np.asarray(cv2.resize(picture, None, fx=zoom, fy=zoom), np.uint8)
    for zone in zones:
        corners = np.array([[x * canvas.shape[1], y * canvas.shape[0]] for x, y in zone.polygon], np.int32)
        cv2.polylines(canvas, [corners], True, _BLUE, 2)
    for name, line in lines.items():
        _draw_line(canvas, name, line, int(judgement.more.get(f"{name}.crossed", 0)))
    for seen in judgement.seen:
        _draw(canvas, seen, zoom)
    return bytes(cv2.imencode(".jpg", canvas, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])[1])


def _draw_line(canvas: Picture, name: str, line: LineOptions, crossed: int) -> None:
    height, width = canvas.shape[:2]
    (ax, ay), (bx, by) = ((x * width, y * height) for x, y in line.points)
    colour = _RED if crossed else _BLUE
    cv2.line(canvas, (int(ax), int(ay)), (int(bx), int(by)), colour, 2)
    middle_x, middle_y, reach = (
        (ax + bx) / 2,
        (ay + by) / 2,
        _ARROW_SHARE * width / max(math.dist((ax, ay), (bx, by)), 1),
    )
    right_x, right_y = reach * (ay - by), reach * (bx - ax)
    for way in _WAYS[line.counts]:
        start = (int(middle_x - way * right_x), int(middle_y - way * right_y))
        end = (int(middle_x + way * right_x), int(middle_y + way * right_y))
        cv2.arrowedLine(canvas, start, end, colour, 2, cv2.LINE_AA, tipLength=0.25)
    _write(canvas, f"{name} {crossed}" if crossed else name, min(int(ax) + 6, width - 60), int(ay) - 6, colour)


def _write(canvas: Picture, label: str, left: int, bottom: int, colour: tuple[int, int, int]) -> None:
    cv2.putText(canvas, label, (left, max(12, bottom)), cv2.FONT_HERSHEY_SIMPLEX, 0.45, colour, 1, cv2.LINE_AA)


def _draw(canvas: Picture, seen: Seen, zoom: float) -> None:
    left, top = int(seen.box.left * zoom), int(seen.box.top * zoom)
    colour = _colour(seen)
    cv2.rectangle(canvas, (left, top), (int(seen.box.right * zoom), int(seen.box.bottom * zoom)), colour, 2)
    label = _label(seen)
    if label:
        _write(canvas, label, left, top - 5, colour)


def _colour(seen: Seen) -> tuple[int, int, int]:
    if not seen.in_zone:
        return _GREY
    if Wearing.MISSING in seen.gear.values():
        return _RED
    return _GREEN if Wearing.WORN in seen.gear.values() else _AMBER


def _label(seen: Seen) -> str:
    missing = sorted(gear for gear, wearing in seen.gear.items() if wearing is Wearing.MISSING)
    return f"no {', no '.join(missing)}" if missing else ""
