"""The labelled pictures of both public sets, in the detector's classes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

PERSON, HELMET, NO_HELMET, VEST, NO_VEST = range(5)
SIDE = 640
"""Every picture of both sets is 640 x 640."""

Pixels = NDArray[np.uint8]
Labels = NDArray[np.float32]
"""n x 5: class, left, top, right, bottom in pixels."""


@dataclass(frozen=True, slots=True)
class Source:
    """How one set numbers its classes, and which of ours it labels at all."""

    classes: Mapping[int, int]
    labelled: tuple[bool, bool, bool, bool, bool]
    faces: frozenset[int] = frozenset()


SOURCES = {
    "css": Source({5: PERSON, 0: HELMET, 2: NO_HELMET, 7: VEST, 4: NO_VEST}, (True,) * 5, frozenset({1, 3})),
    "iaesp": Source({3: PERSON, 0: HELMET, 1: NO_HELMET, 2: NO_HELMET}, (True, True, True, False, False)),
}


@dataclass(frozen=True, slots=True)
class Example:
    """A picture with its labels; what its source does not label must teach nothing."""

    source: str
    path: Path
    labels: Labels

    def pixels(self) -> Pixels:
        """Read the picture: BGR. Raises OSError."""
        read = cv2.imread(str(self.path))
        if read is None:
            raise OSError(f"not a picture: {self.path}")
        return np.asarray(read, np.uint8)


def training_part(data: Path) -> list[Example]:
    """Read what ``data/data/split.json`` gives to training, without other augmentations of what is held out.

    Some names are in the list several times.
    """
    split: dict[str, list[str]] = json.loads((data / "data/split.json").read_text())
    held = {_origin(name) for name in split["held"]}
    return [_example(data / name) for name in dict.fromkeys(split["train"]) if _origin(name) not in held]


def _origin(name: str) -> str:
    """Return what all augmentations of one source picture have in common."""
    path = Path(name)
    return f"{path.parts[-4]}/{path.name.split('.rf.')[0]}"


def _example(path: Path) -> Example:
    source = path.parts[-4]
    boxes = _boxes(path.parent.parent / "labels" / f"{path.stem}.txt")
    return Example(source, path, _ours(boxes, SOURCES[source]))


def _boxes(path: Path) -> list[tuple[int, list[float]]]:
    """Read YOLO labels, boxes or polygons. Some pictures have no label file: nothing is on them."""
    lines = path.read_text().splitlines() if path.exists() else []
    found = []
    for line in lines:
        first, *numbers = line.split() or [""]
        if len(numbers) == 4:
            x, y, width, height = map(float, numbers)
            box = [x - width / 2, y - height / 2, x + width / 2, y + height / 2]
        elif len(numbers) > 4:
            across, down = [float(it) for it in numbers[::2]], [float(it) for it in numbers[1::2]]
            box = [min(across), min(down), max(across), max(down)]
        else:
            continue
        found.append((int(first), [it * SIDE for it in box]))
    return found


def _ours(boxes: list[tuple[int, list[float]]], source: Source) -> Labels:
    faces = [box for kind, box in boxes if kind in source.faces]
    rows = []
    for kind, box in boxes:
        ours = source.classes.get(kind)
        if ours is not None:
            rows.append([ours, *(_with_face(box, faces) if ours == NO_HELMET else box)])
    return np.array(rows, np.float32).reshape(-1, 5)


def _with_face(top: list[float], faces: list[list[float]]) -> list[float]:
    """Join a bare head with the face under it: css boxes only its top, iaesp the whole head."""
    width, height = top[2] - top[0], top[3] - top[1]
    for face in faces:
        x, y = (face[0] + face[2]) / 2, (face[1] + face[3]) / 2
        if top[0] - 0.2 * width < x < top[2] + 0.2 * width and top[1] < y < top[1] + 2.5 * height:
            return [min(top[0], face[0]), min(top[1], face[1]), max(top[2], face[2]), max(top[3], face[3])]
    return top
