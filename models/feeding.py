"""From a picture to what a network is fed, and from its boxes back to the picture's pixels. Worker only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from models.feed import InputSpec

Picture = npt.NDArray[np.uint8]
"""height x width x 3, BGR."""
Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Fitted:
    """A picture brought to a network's size; ``zoom`` and ``shift`` are in x and y, in pixels of the input."""

    canvas: Picture
    zoom: tuple[float, float]
    shift: tuple[float, float]

    def back(self, boxes: Array) -> Array:
        """Return boxes, n x 4 in pixels of the input, in pixels of the picture."""
        return np.asarray((boxes - np.array(self.shift * 2, np.float32)) / np.array(self.zoom * 2, np.float32))


def fit(picture: Picture, spec: InputSpec, shrink: int = cv2.INTER_LINEAR) -> Fitted:
    """Bring a picture to a network's size in the way that it was trained with."""
    across, down = spec.width / picture.shape[1], spec.height / picture.shape[0]
    if spec.fit == "stretch":
        return Fitted(_resized(picture, (spec.width, spec.height), shrink), (across, down), (0.0, 0.0))
    if spec.fit == "crop":
        return _cropped(picture, spec, max(across, down), shrink)
    return _padded(picture, spec, min(across, down), shrink)


def tensor(canvas: Picture, spec: InputSpec) -> Array:
    """Return the batch of one that the network takes."""
    picture = canvas[..., ::-1] if spec.colour == "rgb" else canvas
    batch = picture[None] if spec.order == "nhwc" else picture.transpose(2, 0, 1)[None]
    if spec.dtype == "uint8":
        return np.ascontiguousarray(batch)
    values = np.ascontiguousarray(batch, np.float32)
    if spec.divisor != 1:
        values /= np.float32(spec.divisor)
    if any(spec.mean) or spec.std != (1, 1, 1):
        shape = (1, 1, 1, 3) if spec.order == "nhwc" else (1, 3, 1, 1)
        values = (values - np.array(spec.mean, np.float32).reshape(shape)) / np.array(spec.std, np.float32).reshape(
            shape
        )
    return np.ascontiguousarray(values, np.float16 if spec.dtype == "float16" else np.float32)


def _padded(picture: Picture, spec: InputSpec, zoom: float, shrink: int) -> Fitted:
    width, height = (max(1, round(picture.shape[1] * zoom)), max(1, round(picture.shape[0] * zoom)))
    left = top = 0
    if spec.fit == "centre":
        left, top = _half(spec.width - width), _half(spec.height - height)
    canvas: Picture = np.empty((spec.height, spec.width, 3), np.uint8)
    canvas[:top], canvas[top + height :] = spec.pad, spec.pad
    canvas[:, :left], canvas[:, left + width :] = spec.pad, spec.pad
    inner = canvas[top : top + height, left : left + width]
    cv2.resize(picture, (width, height), inner, interpolation=_means_of(picture, (width, height), shrink))
    return Fitted(canvas, (zoom, zoom), (left, top))


def _cropped(picture: Picture, spec: InputSpec, zoom: float, shrink: int) -> Fitted:
    width, height = (max(spec.width, round(picture.shape[1] * zoom)), max(spec.height, round(picture.shape[0] * zoom)))
    left, top = (width - spec.width) // 2, (height - spec.height) // 2
    whole = _resized(picture, (width, height), shrink)
    return Fitted(whole[top : top + spec.height, left : left + spec.width], (zoom, zoom), (-left, -top))


def _half(spare: int) -> int:
    """Return the smaller half, as the exporters of such networks round it."""
    return max(0, round(spare / 2 - 0.1))


def _resized(picture: Picture, size: tuple[int, int], shrink: int) -> Picture:
    if (picture.shape[1], picture.shape[0]) == size:
        return picture
    return np.asarray(cv2.resize(picture, size, interpolation=_means_of(picture, size, shrink)), np.uint8)


def _means_of(picture: Picture, size: tuple[int, int], shrink: int) -> int:
    """Return how to resize: ``shrink`` is for smaller only."""
    smaller = size[0] < picture.shape[1] or size[1] < picture.shape[0]
    return shrink if smaller else cv2.INTER_LINEAR
