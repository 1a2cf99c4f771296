"""What clips show, written down by hand (tests/models/footage/truth.yaml), and what may be told of it, when."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Annotated, NamedTuple

from pydantic import BeforeValidator, Field

from agent.core.document import Document
from agent.core.errors import ConfigError
from agent.core.options import Options
from models.places import Point

FOLDER = Path(__file__).parents[1] / "tests/models/footage"
WITHIN_S = 3.0
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


Range = tuple[float, float]
"""The least and the most that is right."""
Expected = Callable[[float], Range]
"""What is right at a time of the clip, in seconds."""


def truth(folder: Path = FOLDER) -> dict[str, ClipTruth]:
    """Return what the clips show. Raises ConfigError."""
    document = Document.load(folder / "truth.yaml")
    found, faults = document.read(TruthOptions, data={"clips": document.data})
    if found is None:
        raise ConfigError(faults)
    return found.clips


def expected(real: ClipTruth) -> Iterator[tuple[str, Expected]]:
    """Yield each fact, and what may be told of it."""
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
