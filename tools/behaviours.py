"""Compares what a scene tells of lines and zones with what people saw on the same clips, fact by fact.

What the detector found on each clip is recorded beside the truth, so that tracking and behaviours can be compared
without the clips; with the clips, the detector is asked anew.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from models.detection import Box, Detection
from models.inference import Vision
from models.places import LineOptions, ZoneOptions
from models.scene import Judgement, Scene
from tools.footage import PER_S, clip
from tools.truth import EARLY_S, FOLDER, LATE_S, WITHIN_S, ClipTruth, Crossing, Range, expected, truth

_EVER_S, _ROUNDED_S = 3600.0, 0.05


class Shown(NamedTuple):
    """One picture: when it was taken (seconds of the clip), its size in pixels, and who was found on it."""

    at_s: float
    width: int
    height: int
    found: Sequence[Detection]


@dataclass(slots=True)
class Tally:
    """How often a fact was told; ``right`` and ``wrong`` by whether it was told as sure. Crossings: lines only."""

    right: dict[bool, int] = field(default_factory=lambda: {True: 0, False: 0})
    wrong: dict[bool, int] = field(default_factory=lambda: {True: 0, False: 0})
    found: int = 0
    missed: list[Crossing] = field(default_factory=list)
    extra: list[Crossing] = field(default_factory=list)

    def take(self, told: float, sure: bool, may_be: Range) -> None:
        """Compare one picture's fact with what it may be."""
        least, most = may_be
        (self.right if least - _ROUNDED_S <= told <= most + _ROUNDED_S else self.wrong)[sure] += 1

    def match(self, truth: Iterable[Crossing], told: Iterable[Crossing]) -> None:
        """Pair each crossing that was told with the first one of its direction that is near in time."""
        self.missed = sorted(truth)
        for crossing in told:
            real = next((real for real in self.missed if _is_of(crossing, real)), None)
            if real is None:
                self.extra.append(crossing)
            else:
                self.missed.remove(real)
                self.found += 1


def _is_of(told: Crossing, real: Crossing) -> bool:
    return told.right == real.right and -EARLY_S <= told.at_s - real.at_s <= LATE_S


def recorded(name: str, folder: Path = FOLDER) -> Iterator[Shown]:
    """Yield what the shipped detector found on a clip, 5 pictures a second."""
    with (folder / name).with_suffix(".jsonl").open(encoding="utf-8") as lines:
        size = json.loads(next(lines))
        for line in lines:
            at_s, *boxes = json.loads(line)
            yield Shown(at_s, size["width"], size["height"], [Detection(Box(*box[:4]), box[4]) for box in boxes])


def looked_at(path: Path, vision: Vision) -> Iterator[Shown]:
    """Yield what the detector finds on a clip now."""
    for number, picture in enumerate(clip(path)):
        height, width = picture.shape[:2]
        yield Shown(number / PER_S, width, height, vision.look(picture, wanted=lambda _: False))


def compared(folders: Sequence[Path], vision: Vision) -> Iterator[tuple[str, str, Tally]]:
    """Yield each clip's facts: looked at anew where a folder has the clip, as recorded elsewhere."""
    for name, real in truth().items():
        path = next((folder / name for folder in folders if (folder / name).is_file()), None)
        shown = recorded(name) if path is None else looked_at(path, vision)
        how = " (recorded)" if path is None else ""
        for fact, tally in compare(shown, real, vision.sure).items():
            yield name + how, fact, tally


def compare(shown: Iterable[Shown], real: ClipTruth, sure: float) -> dict[str, Tally]:
    """Return, by fact, how what is told compares with the truth; ``sure`` is from which score people are taken up."""
    scene = Scene(_zones(real), sure, _lines(real))
    may_be = dict(expected(real))
    tallies = {fact: Tally() for fact in may_be}
    told: dict[str, list[Crossing]] = {name: [] for name in real.lines}
    before: dict[str, float] = {}
    for picture in shown:
        judged = scene.judge(picture.found, picture.width, picture.height, picture.at_s)
        for name in real.lines:
            told[name] += _new(name, judged, before, picture.at_s)
        before = dict(judged.more)
        if not judged.unsettled:
            for fact, tally in tallies.items():
                tally.take(_value(fact, judged), fact not in judged.unsure, may_be[fact](picture.at_s))
    for name, line in real.lines.items():
        tallies[f"{name}.crossed"].match(line.crossings, told[name])
    return tallies


def _value(fact: str, judged: Judgement) -> float:
    zone = fact.removesuffix(".persons")
    return judged.zones[zone].persons if zone != fact else judged.more[fact]


def _new(name: str, judged: Judgement, before: dict[str, float], at_s: float) -> Iterator[Crossing]:
    """Yield the crossings that this picture adds."""
    for right in (False, True):
        fact = f"{name}-{right}.crossed"
        yield from [Crossing(at_s, right)] * round(judged.more[fact] - before.get(fact, 0))


def _zones(real: ClipTruth) -> dict[str, ZoneOptions]:
    return {
        name: ZoneOptions(polygon=zone.polygon, demand=(), loiter_after=zone.loiter_after, post=zone.post)
        for name, zone in real.zones.items()
    }


def _lines(real: ClipTruth) -> dict[str, LineOptions]:
    """Return each line as it is, and by direction for as long as the clip is."""
    lines: dict[str, LineOptions] = {}
    for name, line in real.lines.items():
        lines[name] = LineOptions(points=line.points, within=WITHIN_S)
        lines[f"{name}-True"] = LineOptions(points=line.points, counts="left_to_right", within=_EVER_S)
        lines[f"{name}-False"] = LineOptions(points=line.points, counts="right_to_left", within=_EVER_S)
    return lines
