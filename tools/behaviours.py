"""Compares what a scene tells of lines and zones with what people saw on the same clips, fact by fact.

The truth is in tests/models/footage/truth.yaml. What the detector found there is recorded beside it, so that tracking
and behaviours can be compared without the clips; with the clips, the detector is asked anew.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Annotated, NamedTuple

from pydantic import BeforeValidator, Field

from agent.core.document import Document
from agent.core.errors import ConfigError
from agent.core.options import Options
from models.detection import Box, Detection
from models.inference import Vision
from models.options import LineOptions, Point, ZoneOptions
from models.scene import Judgement, Scene
from tools.footage import PER_S, clip

FOLDER = Path(__file__).parents[1] / "tests/models/footage"
WITHIN_S, EVER_S = 3.0, 3600.0
EARLY_S, LATE_S, GONE_S = 0.4, 1.0, 2.0
"""A count may be so early (by eye it is no surer), so late (three pictures are needed); who is gone counts so long."""


class Crossing(NamedTuple):
    """Somebody's feet passed a line ``at_s``, to its right or left."""

    at_s: float
    right: bool


def _crossing(text: object) -> Crossing:
    at_s, side = str(text).split()
    if side not in ("l", "r"):
        raise ValueError(f"{text!r} is no crossing; write 1.4 l or 1.4 r")
    return Crossing(float(at_s), side == "r")


class LineTruth(Options):
    """A line and who crossed it."""

    points: tuple[Point, ...]
    crossings: tuple[Annotated[Crossing, BeforeValidator(_crossing)], ...]


class ZoneTruth(Options):
    """A zone and who was in it, from and to, in seconds."""

    polygon: tuple[Point, ...]
    people: tuple[tuple[float, float], ...]
    loiter_after: float | None = None
    post: bool = False


class ClipTruth(Options):
    """What a clip shows."""

    lines: dict[str, LineTruth] = Field(default_factory=dict)
    zones: dict[str, ZoneTruth] = Field(default_factory=dict)


class TruthOptions(Options):
    """What every clip shows, by its file's name."""

    clips: dict[str, ClipTruth]


class Shown(NamedTuple):
    """One picture: when it was taken (seconds of the clip), its size in pixels, and who was found on it."""

    at_s: float
    width: int
    height: int
    found: Sequence[Detection]


Range = tuple[float, float]
Expected = Callable[[float], Range]


@dataclass(slots=True)
class Tally:
    """How often a fact was told; ``right`` and ``wrong`` by whether it was told as sure. Crossings: lines only."""

    right: dict[bool, int] = field(default_factory=lambda: {True: 0, False: 0})
    wrong: dict[bool, int] = field(default_factory=lambda: {True: 0, False: 0})
    found: int = 0
    missed: list[Crossing] = field(default_factory=list)
    extra: list[Crossing] = field(default_factory=list)

    def take(self, told: float, sure: bool, expected: Range) -> None:
        """Compare one picture's fact with what it may be."""
        (self.right if expected[0] <= told <= expected[1] else self.wrong)[sure] += 1

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


def truth(folder: Path = FOLDER) -> dict[str, ClipTruth]:
    """Return what the clips show. Raises ConfigError."""
    document = Document.load(folder / "truth.yaml")
    found, faults = document.read(TruthOptions, data={"clips": document.data})
    if found is None:
        raise ConfigError(faults)
    return found.clips


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


def compare(shown: Iterable[Shown], real: ClipTruth, sure: float) -> dict[str, Tally]:
    """Return, by fact, how what is told compares with the truth; ``sure`` is from which score people are taken up."""
    scene = Scene(_zones(real), sure, _lines(real))
    expected = dict(_expected(real))
    tallies = {fact: Tally() for fact in expected}
    told: dict[str, list[Crossing]] = {name: [] for name in real.lines}
    before: dict[str, float] = {}
    for picture in shown:
        judged = scene.judge(picture.found, picture.width, picture.height, picture.at_s)
        for name in real.lines:
            told[name] += _new(name, judged, before, picture.at_s)
        before = dict(judged.more)
        if not judged.unsettled:
            for fact, tally in tallies.items():
                tally.take(_value(fact, judged), fact not in judged.unsure, expected[fact](picture.at_s))
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
        lines[f"{name}-True"] = LineOptions(points=line.points, counts="left_to_right", within=EVER_S)
        lines[f"{name}-False"] = LineOptions(points=line.points, counts="right_to_left", within=EVER_S)
    return lines


def _expected(real: ClipTruth) -> Iterator[tuple[str, Expected]]:
    for name, line in real.lines.items():
        yield f"{name}.crossed", partial(_crossed, line)
    for name, zone in real.zones.items():
        yield f"{name}.persons", partial(_present, zone, 0.0)
        if zone.loiter_after is not None:
            yield f"{name}.loitering", partial(_present, zone, zone.loiter_after)
        if zone.post:
            yield f"{name}.absent_for", partial(_absent, zone)


def _crossed(line: LineTruth, at_s: float) -> Range:
    """Return how many crossings must, and may, be counted."""
    times = [crossing.at_s for crossing in line.crossings]
    must = sum(time + LATE_S <= at_s < time - EARLY_S + WITHIN_S for time in times)
    return must, sum(time - EARLY_S <= at_s < time + LATE_S + WITHIN_S for time in times)


def _present(zone: ZoneTruth, after_s: float, at_s: float) -> Range:
    """Return how many people must, and may, be there for ``after_s``."""
    must = sum(begin + after_s + LATE_S <= at_s <= end - EARLY_S for begin, end in zone.people)
    return must, sum(begin + after_s - EARLY_S <= at_s <= end + GONE_S for begin, end in zone.people)


def _absent(zone: ZoneTruth, at_s: float) -> Range:
    must, may = _present(zone, 0.0, at_s)
    last = max((end for _, end in zone.people if end - EARLY_S <= at_s), default=0.0)
    most = 0.0 if must else at_s - last + EARLY_S
    return (0.0, most) if may else (max(0.0, at_s - last - GONE_S), most)
