"""Measure the shipped PPE bundle at its shipped thresholds: ``python -m tools.evaluate [--data FOLDER] [--most 400]``.

With ``--data`` on the held-out pictures of that folder (data/split.json, YOLO labels), one picture at a time, without
tracking or votes; always on the bundle's golden cases and the demo's footage, with both.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import cv2
import numpy as np

from models.bundle import load_bundle
from models.detection import Wearing
from models.geometry import iou
from models.inference import Picture, Vision, golden_faults
from models.options import BUNDLED, CameraOptions
from models.scene import Count, Scene
from models.vocabulary import Gear
from tools.labels import Labelled, held_out

FOOTAGE = Path(__file__).parents[1] / "agent/demo/footage"
MATCH_IOU = 0.5


class Tally:
    """Counts of one data set; persons that were not found count as not reported."""

    def __init__(self) -> None:
        self.pictures = self.persons = self.found = self.extra = 0
        self.empty = self.false_on_empty = 0
        self.wearing: dict[str, dict[tuple[bool, Wearing | None], int]] = {"helmet": {}, "vest": {}}

    def take(self, case: Labelled, vision: Vision) -> None:
        """Judge one labelled picture."""
        picture = read(case.picture)
        seen = [person for person in vision.look(picture) if person.score >= vision.sure]
        self.pictures += 1
        self.persons += len(case.persons)
        self.empty += not case.persons
        self.false_on_empty += not case.persons and any(Wearing.MISSING in it.gear.values() for it in seen)
        self.extra += sum(all(iou(it.box, truth.box) < 0.3 for truth in case.persons) for it in seen)
        for truth in case.persons:
            match = max(seen, key=lambda it: iou(it.box, truth.box), default=None)
            hit = match is not None and iou(match.box, truth.box) >= MATCH_IOU
            self.found += hit
            self._judged("helmet", truth.helmet, match.wears(Gear.HELMET) if match and hit else None)
            self._judged("vest", truth.vest, match.wears(Gear.VEST) if match and hit else None)

    def _judged(self, gear: str, worn: bool | None, said: Wearing | None) -> None:
        if worn is not None:
            cells = self.wearing[gear]
            cells[worn, said] = cells.get((worn, said), 0) + 1

    def figures(self, gear: str) -> list[str]:
        """Return precision, recall, false alarms on those who wear it, and the share of unknown."""
        cells = self.wearing[gear]
        bare = sum(count for (worn, _), count in cells.items() if not worn)
        worn = sum(cells.values()) - bare
        right, wrong = cells.get((False, Wearing.MISSING), 0), cells.get((True, Wearing.MISSING), 0)
        unknown = sum(count for (_, said), count in cells.items() if said is Wearing.UNKNOWN)
        shares = ((right, right + wrong), (right, bare), (wrong, worn), (unknown, bare + worn))
        return [share(part, whole) for part, whole in shares]


def share(part: int, whole: int) -> str:
    """Return a ratio for people, with its parts and its 95 % interval."""
    if not whole:
        return "-"
    low, high = interval(part, whole)
    return f"{part / whole:.3f} [{low:.2f}, {high:.2f}] ({part}/{whole})"


def interval(part: int, whole: int) -> tuple[float, float]:
    """Return Wilson's 95 % interval of a share; too narrow where persons of one picture resemble each other."""
    z2 = 1.96**2
    centre = (part + z2 / 2) / (whole + z2)
    reach = (1.96 / (whole + z2)) * (part * (whole - part) / whole + z2 / 4) ** 0.5
    return max(0.0, centre - reach), min(1.0, centre + reach)


def read(path: Path) -> Picture:
    """Read a picture. Raises ValueError when it is none."""
    picture = cv2.imread(str(path))
    if picture is None:
        raise ValueError(f"{path} is not a picture")
    return np.asarray(picture, np.uint8)


def on_data(data: Path, most: int, vision: Vision) -> list[Table]:
    """Return tables of persons found and of equipment, one row per data set."""
    tallies: dict[str, Tally] = {}
    for case in held_out(data, most):
        tallies.setdefault(case.source, Tally()).take(case, vision)
    persons = Table("set", "pictures", "persons found", "boxes on nobody", "false alarms on empty", title="Persons")
    gear = Table("set", "missing", "precision", "recall of all labelled", "false alarm on worn", "unknown")
    gear.title = "Equipment missing, one picture at a time"
    for source, tally in sorted(tallies.items()):
        empty = share(tally.false_on_empty, tally.empty)
        persons.add_row(source, str(tally.pictures), share(tally.found, tally.persons), str(tally.extra), empty)
        for name, cells in tally.wearing.items():
            if cells:
                gear.add_row(source, name, *tally.figures(name))
    return [persons, gear]


def on_footage(vision: Vision) -> Table:
    """Return a table of what a camera would report on the demo's clips."""
    table = Table("clip", "judged", "with no_helmet > 0", "with no_vest > 0", "most persons", title="Demo, with votes")
    for clip in sorted(FOOTAGE.glob("*.mp4")):
        counts = play(clip, vision)
        bare = share(sum(count.missing[Gear.HELMET] > 0 for count in counts), len(counts))
        plain = share(sum(count.missing[Gear.VEST] > 0 for count in counts), len(counts))
        table.add_row(clip.name, str(len(counts)), bare, plain, str(max(count.persons for count in counts)))
    return table


def play(clip: Path, vision: Vision, per_s: float = 5.0) -> list[Count]:
    """Judge a clip as a camera does, ``per_s`` pictures per second of the clip."""
    scene = Scene(CameraOptions(source=str(clip)).watched, vision.sure)
    capture = cv2.VideoCapture(str(clip))
    rate = capture.get(cv2.CAP_PROP_FPS)
    counts: list[Count] = []
    number = 0
    while True:
        there, picture = capture.read()
        if not there:
            return counts
        if number % round(rate / per_s) == 0:
            height, width = picture.shape[:2]
            found = vision.look(np.asarray(picture, np.uint8))
            counts.append(scene.judge(found, width, height, number / rate).whole)
        number += 1


def main() -> int:
    """Print the tables; 1 when a golden case fails."""
    parser = argparse.ArgumentParser(prog="evaluate", description=__doc__)
    parser.add_argument("--data", type=Path, help="folder with data/split.json, pictures and YOLO labels")
    parser.add_argument("--most", type=int, default=400, help="pictures at most, taken evenly (default 400)")
    options = parser.parse_args()
    if options.data and not (options.data / "data/split.json").is_file():
        parser.error(f"{options.data} holds no data/split.json; name a folder such as ../shared/ppe, or leave it out")
    console = Console(width=150)
    bundle = load_bundle(BUNDLED / "ppe")
    vision = Vision(bundle)
    faults = golden_faults(bundle, vision)
    console.print(f"{bundle.title}: {len(bundle.manifest.golden)} golden cases, {len(faults)} wrong {faults or ''}")
    if options.data:
        for table in on_data(options.data, options.most, vision):
            console.print(table)
    console.print(on_footage(vision))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
