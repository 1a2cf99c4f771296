"""The picture for people: zones and persons drawn in."""

from __future__ import annotations

from collections.abc import Iterable

import cv2
import numpy as np
import numpy.typing as npt

from models.detection import Wearing
from models.options import ZoneOptions
from models.scene import Judgement, Seen

Picture = npt.NDArray[np.uint8]
WIDEST_PX = 960
_QUALITY = 80
_RED, _GREEN, _AMBER, _GREY, _BLUE = (40, 40, 230), (60, 180, 60), (0, 170, 255), (160, 160, 160), (220, 160, 40)


def annotate(picture: Picture, judgement: Judgement, zones: Iterable[ZoneOptions]) -> bytes:
    """Return ``picture`` (BGR) as JPEG, at most 960 pixels wide, with zones and persons drawn in."""
    zoom = min(1.0, WIDEST_PX / picture.shape[1])
    canvas: Picture = picture.copy()
    if zoom < 1:
        canvas = np.asarray(cv2.resize(picture, None, fx=zoom, fy=zoom), np.uint8)
    for zone in zones:
        corners = np.array([[x * canvas.shape[1], y * canvas.shape[0]] for x, y in zone.polygon], np.int32)
        cv2.polylines(canvas, [corners], True, _BLUE, 2)
    for seen in judgement.seen:
        _draw(canvas, seen, zoom)
    return bytes(cv2.imencode(".jpg", canvas, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])[1])


def _draw(canvas: Picture, seen: Seen, zoom: float) -> None:
    left, top = int(seen.box.left * zoom), int(seen.box.top * zoom)
    colour = _colour(seen)
    cv2.rectangle(canvas, (left, top), (int(seen.box.right * zoom), int(seen.box.bottom * zoom)), colour, 2)
    label = _label(seen)
    if label:
        cv2.putText(canvas, label, (left, max(12, top - 5)), cv2.FONT_HERSHEY_SIMPLEX, 0.45, colour, 1, cv2.LINE_AA)


def _colour(seen: Seen) -> tuple[int, int, int]:
    if not seen.in_zone:
        return _GREY
    if Wearing.MISSING in seen.gear.values():
        return _RED
    return _GREEN if Wearing.WORN in seen.gear.values() else _AMBER


def _label(seen: Seen) -> str:
    missing = sorted(gear for gear, wearing in seen.gear.items() if wearing is Wearing.MISSING)
    return f"no {', no '.join(missing)}" if missing else ""
