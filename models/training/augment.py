"""Makes a training picture of an example: nobody on it, four examples in one, or one moved and scaled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random

import cv2
import numpy as np

from .data import SIDE, Example, Labels, Pixels

GREY = 114
"""What the program fills a letterbox with."""
EMPTY_SHARE = 0.1
MOSAIC_SHARE = 0.5
Area = tuple[int, int, int, int]
Pool = Mapping[str, Sequence[Example]]


def augment(example: Example, pool: Pool, side: int, rng: Random) -> tuple[Pixels, Labels]:
    """Return a ``side`` x ``side`` picture and its labels; the same ``rng`` gives the same picture."""
    if example.source == "css" and rng.random() < EMPTY_SHARE:
        empty = _empty(example, side, rng)
        if empty is not None:
            return _recolour(empty, rng), np.zeros((0, 5), np.float32)
    if rng.random() < MOSAIC_SHARE:
        pixels, labels = _mosaic(example, pool[example.source], side, rng)
    else:
        pixels, labels = _single(example, side, rng)
    return _recolour(pixels, rng), labels


def _empty(example: Example, side: int, rng: Random) -> Pixels | None:
    """Return a part of the picture with nobody on it: the background of real sites is the hardest.

    Of css only, which labels machines and cones too: what is unlabelled there is no person.
    """
    pixels, labels, near = example.pixels(), example.labels, 8
    height, width = pixels.shape[:2]
    for _ in range(20):
        size = rng.randint(width // 5, width // 2)
        x, y = rng.randint(0, width - size), rng.randint(0, height - size)
        across = (labels[:, 1] < x + size + near) & (labels[:, 3] > x - near)
        down = (labels[:, 2] < y + size + near) & (labels[:, 4] > y - near)
        if not (across & down).any():
            return np.asarray(cv2.resize(pixels[y : y + size, x : x + size], (side, side)), np.uint8)
    return None


def _mosaic(first: Example, others: Sequence[Example], side: int, rng: Random) -> tuple[Pixels, Labels]:
    """Put four examples around a random centre: small persons, cut persons. One source, so one set of classes."""
    canvas = np.full((side, side, 3), GREY, np.uint8)
    x, y = int(side * rng.uniform(0.35, 0.65)), int(side * rng.uniform(0.35, 0.65))
    kept = []
    for index, area in enumerate([(0, 0, x, y), (x, 0, side, y), (0, y, x, side), (x, y, side, side)]):
        example = others[rng.randrange(len(others))] if index else first
        kept.append(_fill(canvas, area, example, rng))
    return canvas, np.concatenate(kept)


def _fill(canvas: Pixels, area: Area, example: Example, rng: Random) -> Labels:
    left, top, right, bottom = area
    width, height = right - left, bottom - top
    pixels, labels = _resized(example, max(width, height) / SIDE * rng.uniform(0.8, 1.5), rng)
    x = rng.randint(0, max(0, pixels.shape[1] - width))
    y = rng.randint(0, max(0, pixels.shape[0] - height))
    part = pixels[y : y + height, x : x + width]
    canvas[top : top + part.shape[0], left : left + part.shape[1]] = part
    labels[:, [1, 3]] += left - x
    labels[:, [2, 4]] += top - y
    return _cut(labels, (left, top, left + part.shape[1], top + part.shape[0]))


def _single(example: Example, side: int, rng: Random) -> tuple[Pixels, Labels]:
    """Scale the picture and put it anywhere, partly outside if it is larger."""
    pixels, labels = _resized(example, side / SIDE * rng.uniform(0.45, 1.3), rng)
    canvas = np.full((side, side, 3), GREY, np.uint8)
    spare_x, spare_y = side - pixels.shape[1], side - pixels.shape[0]
    x = rng.randint(min(0, spare_x), max(0, spare_x))
    y = rng.randint(min(0, spare_y), max(0, spare_y))
    left, top = max(0, x), max(0, y)
    part = pixels[max(0, -y) :, max(0, -x) :][: side - top, : side - left]
    canvas[top : top + part.shape[0], left : left + part.shape[1]] = part
    labels[:, [1, 3]] += x
    labels[:, [2, 4]] += y
    return canvas, _cut(labels, (left, top, left + part.shape[1], top + part.shape[0]))


def _resized(example: Example, scale: float, rng: Random) -> tuple[Pixels, Labels]:
    """Scale a little more in one direction than in the other, and mirror every second."""
    pixels, labels = example.pixels(), example.labels.copy()
    height, width = pixels.shape[:2]
    stretch = rng.uniform(0.85, 1.18) ** 0.5
    size = max(8, int(width * scale * stretch)), max(8, int(height * scale / stretch))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    pixels = np.asarray(cv2.resize(pixels, size, interpolation=how), np.uint8)
    labels[:, [1, 3]] *= size[0] / width
    labels[:, [2, 4]] *= size[1] / height
    if rng.random() < 0.5:
        pixels = pixels[:, ::-1]
        labels[:, [1, 3]] = size[0] - labels[:, [3, 1]]
    return pixels, labels


def _cut(labels: Labels, area: Area) -> Labels:
    """Cut boxes at the picture's edge; what is left of less than a third cannot be learned."""
    left, top, right, bottom = area
    cut = labels.copy()
    cut[:, [1, 3]] = cut[:, [1, 3]].clip(left, right)
    cut[:, [2, 4]] = cut[:, [2, 4]].clip(top, bottom)
    width, height = cut[:, 3] - cut[:, 1], cut[:, 4] - cut[:, 2]
    whole = (labels[:, 3] - labels[:, 1]) * (labels[:, 4] - labels[:, 2])
    return cut[(width * height > 0.3 * whole) & (width > 3) & (height > 3)]


def _recolour(pixels: Pixels, rng: Random) -> Pixels:
    """Change hue, saturation and brightness; now and then grey or blurred, as cheap cameras are."""
    hsv = cv2.cvtColor(pixels, cv2.COLOR_BGR2HSV).astype(np.float32)
    hsv[..., 0] = (hsv[..., 0] + rng.uniform(-5, 5)) % 180
    hsv[..., 1] *= rng.uniform(0.55, 1.4)
    hsv[..., 2] *= rng.uniform(0.55, 1.4)
    pixels = np.asarray(cv2.cvtColor(hsv.clip(0, 255).astype(np.uint8), cv2.COLOR_HSV2BGR), np.uint8)
    if rng.random() < 0.05:
        grey = cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY)
        pixels = np.asarray(cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR), np.uint8)
    if rng.random() < 0.2:
        pixels = np.asarray(cv2.GaussianBlur(pixels, (3, 3), rng.uniform(0.3, 1.2)), np.uint8)
    return pixels
