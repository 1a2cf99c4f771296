"""The crops of labelled persons that the classifier learns from."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

import cv2
import numpy as np

from .data import Pixels

WIDTH, HEIGHT = 128, 192
MARGIN = 0.12
"""As in the manifest: what the program adds around a person's box, as a share of it."""
GREY = 114
LEAST_PX = 24
_SHAKEN = 0.12
_CUT_SHARE, _CUT = 0.25, 0.45


@dataclass(frozen=True, slots=True)
class Person:
    """A labelled person: box in pixels of the picture; what is worn, or None where the labels say nothing."""

    source: str
    picture: str
    left: float
    top: float
    right: float
    bottom: float
    helmet: bool | None
    vest: bool | None


def training_persons(listed: Path) -> list[Person]:
    """Read who ``python -m tools.labels`` listed, but none who is too small or of whom nothing is known."""
    persons = [Person(**item) for item in json.loads(listed.read_text())]
    return [it for it in persons if it.bottom - it.top >= LEAST_PX and (it.helmet, it.vest) != (None, None)]


def epoch_of(persons: Sequence[Person], rng: Random) -> list[Person]:
    """Return a third of css, another third each time, and all of iaesp: css has three pictures of a scene."""
    css = [person for person in persons if person.source == "css"]
    chosen = [*rng.sample(css, len(css) // 3), *(person for person in persons if person.source == "iaesp")]
    rng.shuffle(chosen)
    return chosen


def crop_of(person: Person, rng: Random) -> Pixels:
    """Return a person as a camera might show it: box not exact, small, noisy, blurred, compressed."""
    crop = _worsened(_cut_out(person, rng), rng)
    scale = min(HEIGHT / crop.shape[0], WIDTH / crop.shape[1])
    size = max(1, round(crop.shape[1] * scale)), max(1, round(crop.shape[0] * scale))
    canvas = np.full((HEIGHT, WIDTH, 3), GREY, np.uint8)
    fitted = cv2.resize(crop, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    canvas[: size[1], : size[0]] = fitted[:, ::-1] if rng.random() < 0.5 else fitted
    return canvas


def _cut_out(person: Person, rng: Random) -> Pixels:
    """Cut the box out as a detector might give it: a little off, and now and then without the legs."""
    picture = cv2.imread(person.picture)
    if picture is None:
        raise OSError(f"not a picture: {person.picture}")
    width, height = person.right - person.left, person.bottom - person.top
    legs = rng.uniform(0, _CUT) if rng.random() < _CUT_SHARE else 0.0
    off = [rng.uniform(-_SHAKEN, _SHAKEN) for _ in range(4)]
    left, right = person.left + (off[0] - MARGIN) * width, person.right + (off[1] + MARGIN) * width
    top, bottom = person.top + (off[2] - MARGIN) * height, person.bottom + (off[3] + MARGIN - legs) * height
    crop = picture[max(0, int(top)) : max(0, int(bottom)), max(0, int(left)) : max(0, int(right))]
    return np.asarray(crop if min(crop.shape[:2]) >= 4 else picture, np.uint8)


def _worsened(crop: Pixels, rng: Random) -> Pixels:
    """Change colours; show it from far away; blur, compress and add noise, as cheap cameras do."""
    if rng.random() < 0.8:
        crop = _recoloured(crop, rng)
    far = rng.uniform(40, 140) / max(crop.shape[:2])
    if rng.random() < 0.6 and far < 1 and min(crop.shape[:2]) * far >= 8:
        crop = np.asarray(cv2.resize(crop, None, fx=far, fy=far, interpolation=cv2.INTER_AREA), np.uint8)
    if rng.random() < 0.3 and min(crop.shape[:2]) > 8:
        crop = np.asarray(cv2.GaussianBlur(crop, (3, 3), rng.uniform(0.3, 1.5)), np.uint8)
    if rng.random() < 0.5:
        _, packed = cv2.imencode(".jpg", crop, [cv2.IMWRITE_JPEG_QUALITY, rng.randint(25, 90)])
        crop = np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR), np.uint8)
    if rng.random() < 0.3:
        noise = np.random.default_rng(rng.getrandbits(32)).normal(0, rng.uniform(2, 14), crop.shape)
        crop = (crop + noise).clip(0, 255).astype(np.uint8)
    return crop


def _recoloured(crop: Pixels, rng: Random) -> Pixels:
    hsv = cv2.cvtColor(crop, cv2.COLOR_BGR2HSV).astype(np.float32)
    hsv[..., 0] = (hsv[..., 0] + rng.uniform(-6, 6)) % 180
    hsv[..., 1] *= rng.uniform(0.5, 1.4) if rng.random() > 0.08 else 0.0
    hsv[..., 2] *= rng.uniform(0.5, 1.4)
    return np.asarray(cv2.cvtColor(hsv.clip(0, 255).astype(np.uint8), cv2.COLOR_HSV2BGR), np.uint8)
