"""Plays clips and still pictures as a camera shows them, with tracking and votes, and counts alarms."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from models.detection import Box
from models.geometry import overlap
from models.inference import Picture, Vision
from models.options import CameraOptions
from models.scene import Count, Scene

PER_S = 5.0
STILL_S = 3.0
_MOVED_PX, _NOISE = 2, 4.0
_APART_PX = 8
_PARTS_PX, _SUB_STREAM = ((480, 270), (320, 180), (224, 126)), (640, 360)
_PICTURES = frozenset((".jpg", ".jpeg", ".png"))
EMPTY_SPANS: Mapping[str, Sequence[tuple[float, float]]] = {
    "one-by-one-person-detection.mp4": (
        (0, 5.9),
        (20.4, 22.6),
        (45.3, 50),
        (71, 74.2),
        (87.4, 91.8),
        (120.8, 123.2),
        (136.4, 139.4),
    ),
    "bottle-detection.mp4": ((0, 5.5), (7.5, 11), (13.8, 15.5), (18.2, 21.7), (24.9, 27.1), (29.3, 30.5)),
}
"""Seconds of clips of intel-iot-devkit/sample-videos in which nothing of anybody is seen, looked at by hand."""


@dataclass(frozen=True, slots=True)
class Watched:
    """What a camera would have reported of one scene, picture by picture."""

    name: str
    seconds: float
    counts: Sequence[Count]

    @property
    def persons(self) -> int:
        """How often somebody turned up."""
        return rises(count.persons > 0 for count in self.counts)

    @property
    def alarms(self) -> int:
        """How often equipment that was fine or not judged came to be missing."""
        return rises(any(count.missing.values()) for count in self.counts)


def rises(states: Iterable[bool]) -> int:
    """Return how often a state begins."""
    before, number = False, 0
    for state in states:
        number += state and not before
        before = state
    return number


def watch(name: str, pictures: Iterable[Picture], vision: Vision) -> Watched:
    """Judge pictures as a camera does, ``PER_S`` per second, everywhere demanding a helmet and a vest."""
    scene = Scene(CameraOptions(source=name).watched, vision.sure)
    counts: list[Count] = []
    for picture in pictures:
        height, width = picture.shape[:2]
        counts.append(scene.judge(vision.look(picture), width, height, len(counts) / PER_S).whole)
    return Watched(name, len(counts) / PER_S, counts)


def clip(path: Path, begin_s: float = 0.0, end_s: float = float("inf")) -> Iterator[Picture]:
    """Yield ``PER_S`` pictures per second of a part of a clip."""
    capture = cv2.VideoCapture(str(path))
    rate, due, number = capture.get(cv2.CAP_PROP_FPS), begin_s, 0
    while number / rate < end_s:
        there, picture = capture.read()
        if not there:
            return
        if number / rate >= due:
            due += 1 / PER_S
            yield np.asarray(picture, np.uint8)
        number += 1


def still(picture: Picture) -> Iterator[Picture]:
    """Yield a picture as a fixed camera shows it: a little moved each time, with the noise of a sensor."""
    rng = np.random.default_rng(0)
    for _ in range(round(STILL_S * PER_S)):
        moved = np.roll(picture, rng.integers(-_MOVED_PX, _MOVED_PX + 1, 2), (0, 1))
        noise = rng.normal(0, _NOISE, picture.shape)
        yield np.asarray((moved + noise).clip(0, 255), np.uint8)


def bare_parts(picture: Picture, anybody: Sequence[Box]) -> Iterator[Picture]:
    """Yield parts of a picture with nobody on them as a camera's picture each, 640 x 360; none overlaps another."""
    height, width = picture.shape[:2]
    apart = _APART_PX
    taken = [Box(it.left - apart, it.top - apart, it.right + apart, it.bottom + apart) for it in anybody]
    for across, down in _PARTS_PX:
        for y in range(0, height - down + 1, down // 2):
            for x in range(0, width - across + 1, across // 2):
                part = Box(x, y, x + across, y + down)
                if not any(overlap(part, box) for box in taken):
                    taken.append(part)
                    yield np.asarray(cv2.resize(picture[y : y + down, x : x + across], _SUB_STREAM), np.uint8)


def read(path: Path) -> Picture:
    """Read a picture. Raises ValueError when it is none."""
    picture = cv2.imread(str(path))
    if picture is None:
        raise ValueError(f"{path} is not a picture")
    return np.asarray(picture, np.uint8)


def empty_scenes(folders: Sequence[Path]) -> Iterator[tuple[str, Iterator[Picture]]]:
    """Yield the pictures and clips of folders that show nobody; of known clips only the parts where nobody is."""
    for path in sorted(file for folder in folders for file in folder.iterdir()):
        if path.suffix in _PICTURES:
            yield path.name, still(read(path))
        elif path.name not in EMPTY_SPANS:
            yield path.name, clip(path)
        else:
            yield from empty_parts(path)


def empty_parts(path: Path) -> Iterator[tuple[str, Iterator[Picture]]]:
    """Yield the parts without anybody of a known clip; none when it is not there."""
    for begin_s, end_s in EMPTY_SPANS[path.name] if path.is_file() else ():
        yield f"{path.name} {begin_s:g}-{end_s:g} s", clip(path, begin_s, end_s)
