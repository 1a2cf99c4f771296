"""Reads the labelled pictures of the two public PPE sets: persons, and whose helmet and vest is whose.

``python -m tools.labels FOLDER`` lists those to train on, for models/training, which has an environment of its own.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from zlib import crc32

import cv2

from models.detection import Box
from models.geometry import overlap


@dataclass(frozen=True, slots=True)
class Truth:
    """A labelled person; None where the labels say nothing."""

    box: Box
    helmet: bool | None
    vest: bool | None


class Half(StrEnum):
    """What a held-out picture is for: thresholds are chosen on one half, and figures are reported of the other."""

    CHOOSE = "choose"
    REPORT = "report"


@dataclass(frozen=True, slots=True)
class Labelled:
    """A picture of a data set."""

    source: str
    half: Half
    picture: Path
    persons: Sequence[Truth]


@dataclass(frozen=True, slots=True)
class Classes:
    """Class numbers of a data set; True: worn. ``things`` are no part of anybody; None where persons are unlabelled."""

    person: int
    heads: Mapping[int, bool]
    vests: Mapping[int, bool]
    things: frozenset[int] | None = None


SETS = {
    "css": Classes(5, {0: True, 2: False}, {7: True, 4: False}, frozenset((6, 8, 9))),
    "iaesp": Classes(3, {0: True, 1: False, 2: False}, {}),
}
Item = tuple[int, Box]
Distance = Callable[[Box, Box], float | None]


def held_out(data: Path) -> Iterator[Labelled]:
    """Yield the held-out pictures under ``data``. Raises OSError without them."""
    split: dict[str, list[str]] = json.loads((data / "data/split.json").read_text())
    for name in unseen(split["held"], split["train"]):
        path = data / name
        yield Labelled(path.parts[-4], half_of(name), path, persons_of(path, SETS[path.parts[-4]]))


def trained_on(data: Path) -> list[Path]:
    """Return the training pictures under ``data``, but none that is an augmentation of a held-out one."""
    split: dict[str, list[str]] = json.loads((data / "data/split.json").read_text())
    held = {origin_of(name) for name in split["held"]}
    return [data / name for name in dict.fromkeys(split["train"]) if origin_of(name) not in held]


def unseen(held: Sequence[str], trained: Sequence[str]) -> list[str]:
    """Return one augmentation of each held-out source picture of which none was trained on."""
    known = {origin_of(name) for name in trained}
    first: dict[str, str] = {}
    for name in held:
        first.setdefault(origin_of(name), name)
    return [name for origin, name in first.items() if origin not in known]


def origin_of(name: str) -> str:
    """Return what all augmentations of one source picture have in common."""
    path = Path(name)
    return f"{path.parts[-4]}/{path.name.split('.rf.')[0]}"


def scene_of(name: str) -> str:
    """Return what all pictures of one video have in common; a picture that is of none is a scene of its own."""
    return re.sub(r"(_(?:mp4|mov))-\d+_", r"\1", origin_of(name), flags=re.IGNORECASE)


def half_of(name: str) -> Half:
    """Return the half that a picture's scene belongs to, for ever: it is told from the name alone."""
    return Half.REPORT if crc32(scene_of(name).encode()) % 2 else Half.CHOOSE


def persons_of(path: Path, classes: Classes) -> list[Truth]:
    """Read the persons of a picture from the label file beside it; without one nobody is on it. Raises OSError."""
    items = list(_items(path))
    persons = [box for kind, box in items if kind == classes.person]
    heads = _owners(persons, [item for item in items if item[0] in classes.heads], _head_distance)
    vests = _owners(persons, [item for item in items if item[0] in classes.vests], _vest_distance)
    return [
        Truth(box, _worn(heads.get(number), classes.heads), _worn(vests.get(number), classes.vests))
        for number, box in enumerate(persons)
    ]


def of_anybody(path: Path, classes: Classes) -> list[Box] | None:
    """Return every labelled box of a person or a part of one; None where not everybody is labelled. Raises OSError."""
    if classes.things is None:
        return None
    return [box for kind, box in _items(path) if kind not in classes.things]


def _worn(kind: int | None, table: Mapping[int, bool]) -> bool | None:
    return None if kind is None else table[kind]


def _items(path: Path) -> Iterator[Item]:
    """Yield class and box in pixels from the label file beside the picture; a polygon becomes its box."""
    picture = cv2.imread(str(path))
    if picture is None:
        raise OSError(f"{path} is not a picture")
    height, width = picture.shape[:2]
    labels = path.parent.parent / "labels" / f"{path.stem}.txt"
    for line in labels.read_text().splitlines() if labels.exists() else ():
        kind, *numbers = (float(word) for word in line.split())
        if len(numbers) == 4:
            x, y, w, h = numbers
            corners = (x - w / 2, y - h / 2, x + w / 2, y + h / 2)
        else:
            corners = (min(numbers[::2]), min(numbers[1::2]), max(numbers[::2]), max(numbers[1::2]))
        yield int(kind), Box(corners[0] * width, corners[1] * height, corners[2] * width, corners[3] * height)


def _owners(persons: Sequence[Box], items: Sequence[Item], distance: Distance) -> dict[int, int]:
    """Give each item to the nearest person that has none yet; return class by person."""
    pairs = sorted(
        (far, number, index)
        for number, person in enumerate(persons)
        for index, (_, box) in enumerate(items)
        if (far := distance(person, box)) is not None
    )
    owned: dict[int, int] = {}
    used: set[int] = set()
    for _, number, index in pairs:
        if number not in owned and index not in used:
            owned[number] = items[index][0]
            used.add(index)
    return owned


def _head_distance(person: Box, head: Box) -> float | None:
    """Return how far ``head`` is from where the person's head should be; None when it cannot be theirs."""
    (x, y), width, height = head.centre, person.width, person.height
    across = abs(x - person.centre[0]) / width
    down = y - person.top
    if across > 0.6 or not -0.15 * height < down < 0.7 * height or head.width > 1.3 * width:
        return None
    return across + 1.5 * abs(down - min(0.12 * height, 0.35 * width)) / height


def _vest_distance(person: Box, vest: Box) -> float | None:
    """Return how far ``vest`` is from where the person's chest should be; None when it cannot be theirs."""
    if vest.area <= 0 or overlap(person, vest) < 0.6 * vest.area:
        return None
    (x, y), (px, _) = vest.centre, person.centre
    aside, off = abs(x - px) / person.width, abs(y - person.top - 0.4 * person.height) / person.height
    return aside + off - 0.5 * vest.area / person.area


def main() -> None:
    """List everybody on the training pictures, as JSON."""
    listed = [
        {"source": path.parts[-4], "picture": str(path.absolute()), **asdict(person.box)}
        | {"helmet": person.helmet, "vest": person.vest}
        for path in trained_on(Path(sys.argv[1]))
        for person in persons_of(path, SETS[path.parts[-4]])
    ]
    json.dump(listed, sys.stdout)


if __name__ == "__main__":
    main()
