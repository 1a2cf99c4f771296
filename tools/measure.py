"""The arithmetic of ``make evaluate``: from what was seen on labelled pictures to figures with intervals. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

import numpy as np

from models.bundle import Belief
from models.detection import Box
from models.geometry import iou
from models.vocabulary import Gear
from tools.labels import Truth

MATCH_IOU, NOBODY_IOU = 0.5, 0.3
BANDS = (0, 40, 80, 160, 320)
"""Heights in pixels of the picture at which a band begins."""
SURES = (0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55)
BELOWS = tuple(round(0.05 * step, 2) for step in range(2, 13))
_Z = 1.96
_DRAWS = 2000


@dataclass(frozen=True, slots=True)
class Sight:
    """A person box that a model gave; ``shares`` are P(worn) of what can be judged on it, empty if nothing can."""

    box: Box
    score: float
    shares: Mapping[Gear, float]


@dataclass(frozen=True, slots=True)
class Case:
    """One labelled picture and what was seen on it."""

    source: str
    truths: Sequence[Truth]
    sights: Sequence[Sight]


@dataclass(frozen=True, slots=True)
class Thresholds:
    """From which score a person counts; below which P(worn) a piece is missing and from which it is worn.

    ``believes`` is for sights whose scores are the detector's own; a worker's have it in them.
    """

    sure: float
    missing: Mapping[Gear, float]
    worn: Mapping[Gear, float]
    believes: Mapping[Gear, Belief] = field(default_factory=dict)

    def takes(self, sight: Sight) -> bool:
        """Tell whether the box is a person."""
        if sight.score >= self.sure:
            return True
        return any(
            gear in sight.shares and belief.holds(sight.score, sight.shares[gear])
            for gear, belief in self.believes.items()
        )

    def misses(self, sight: Sight) -> bool:
        """Tell whether something is called missing on it."""
        return any(share < self.missing[gear] for gear, share in sight.shares.items())


class Figure(StrEnum):
    """What a mark counts for; each is a share."""

    FOUND = "persons found"
    PRECISION = "missing: precision"
    RECALL = "missing: recall"
    FALSE = "false alarm on compliant"
    UNKNOWN = "not judged"
    NOT_FOUND = "lost: not found"
    UNJUDGED = "lost: small, cut or unsure"
    TAKEN_WORN = "lost: taken for worn"
    NOBODY = "box on nobody"
    STRAY = "called missing on nobody"
    EMPTY = "called missing on a picture without persons"


@dataclass(frozen=True, slots=True)
class Mark:
    """One person, box or picture that counts for a figure; ``band`` is where its height's band begins."""

    figure: Figure
    hit: bool
    source: str
    band: int = 0
    gear: Gear | None = None


@dataclass(frozen=True, slots=True)
class Share:
    """A ratio with its 95 % interval."""

    part: int
    whole: int
    low: float
    high: float

    @property
    def value(self) -> float:
        """0..1; 0 of nothing."""
        return self.part / self.whole if self.whole else 0.0

    def __str__(self) -> str:
        if not self.whole:
            return "-"
        return f"{self.value:.3f} [{self.low:.2f}, {self.high:.2f}] ({self.part}/{self.whole})"


def wilson(part: int, whole: int) -> tuple[float, float]:
    """Return Wilson's 95 % interval of a share of independent trials; 0 to 1 when there are none."""
    if not whole:
        return 0.0, 1.0
    z2 = _Z**2
    centre = (part + z2 / 2) / (whole + z2)
    reach = (_Z / (whole + z2)) * (part * (whole - part) / whole + z2 / 4) ** 0.5
    return max(0.0, centre - reach), min(1.0, centre + reach)


def share(pictures: Sequence[tuple[int, int]]) -> Share:
    """Return the share over pictures of (part, whole).

    Persons of one picture resemble each other, so pictures are drawn anew (bootstrap); that is blind to what never
    happened, so the interval is never narrower than Wilson's.
    """
    table = np.array([pair for pair in pictures if pair[1]], float).reshape(-1, 2)
    part, whole = (int(total) for total in table.sum(0))
    low, high = wilson(part, whole)
    if len(table) > 1:
        draws = np.random.default_rng(0).multinomial(len(table), np.full(len(table), 1 / len(table)), _DRAWS) @ table
        drawn_low, drawn_high = np.percentile(draws[:, 0] / draws[:, 1], (2.5, 97.5))
        low, high = min(low, float(drawn_low)), max(high, float(drawn_high))
    return Share(part, whole, low, high)


def most_per_hour(events: int, hours: float) -> float:
    """Return the 95 % upper bound of a rate; the rule of three for none, else the normal one of a Poisson count."""
    return (3.0 if not events else events + _Z * events**0.5 + _Z) / hours


def band_of(box: Box) -> int:
    """Return where the band of a person's height begins."""
    return max(start for start in BANDS if box.height >= start)


def pairs(truths: Sequence[Truth], sights: Sequence[Sight]) -> dict[int, Sight]:
    """Return who was found by which box, one to one, the best overlap first."""
    close = sorted(
        (
            (iou(truth.box, sight.box), number, index)
            for number, truth in enumerate(truths)
            for index, sight in enumerate(sights)
        ),
        reverse=True,
    )
    found: dict[int, Sight] = {}
    used: set[int] = set()
    for overlap, number, index in close:
        if overlap >= MATCH_IOU and number not in found and index not in used:
            found[number] = sights[index]
            used.add(index)
    return found


def marks(case: Case, at: Thresholds) -> Iterator[Mark]:
    """Yield all that one picture says about a model at these thresholds."""
    seen = [sight for sight in case.sights if at.takes(sight)]
    found = pairs(case.truths, seen)
    for number, truth in enumerate(case.truths):
        band, sight = band_of(truth.box), found.get(number)
        yield Mark(Figure.FOUND, sight is not None, case.source, band)
        for gear, worn in ((Gear.HELMET, truth.helmet), (Gear.VEST, truth.vest)):
            if worn is not None:
                yield from _judged(Mark(Figure.FOUND, False, case.source, band, gear), worn, sight, at)
    for sight in seen:
        nobody = all(iou(sight.box, truth.box) < NOBODY_IOU for truth in case.truths)
        yield Mark(Figure.NOBODY, nobody, case.source, band_of(sight.box))
        if at.misses(sight):
            yield Mark(Figure.STRAY, nobody, case.source, band_of(sight.box))
    if not case.truths:
        yield Mark(Figure.EMPTY, any(at.misses(sight) for sight in seen), case.source)


def _judged(blank: Mark, worn: bool, sight: Sight | None, at: Thresholds) -> Iterator[Mark]:
    """Yield what the judgement of one piece on one labelled person counts for."""
    gear = blank.gear
    assert gear is not None
    said = sight.shares.get(gear) if sight else None
    missing, sure = said is not None and said < at.missing[gear], said is not None and said >= at.worn[gear]
    hits = {Figure.UNKNOWN: not missing and not sure}
    if worn:
        hits[Figure.FALSE] = missing
    else:
        hits[Figure.RECALL] = missing
        hits[Figure.NOT_FOUND] = sight is None
        hits[Figure.UNJUDGED] = sight is not None and not missing and not sure
        hits[Figure.TAKEN_WORN] = sure and not missing
    if missing:
        hits[Figure.PRECISION] = not worn
    for figure, hit in hits.items():
        yield replace(blank, figure=figure, hit=hit)


class Sheet:
    """The marks of many pictures, to be asked for shares."""

    def __init__(self, cases: Iterable[Case], at: Thresholds) -> None:
        self._pictures = [list(marks(case, at)) for case in cases]

    def share(
        self, figure: Figure, gear: Gear | None = None, source: str | None = None, band: int | None = None
    ) -> Share:
        """Return one figure, of one set and one band or of all."""
        counted = [
            [
                mark.hit
                for mark in picture
                if (mark.figure, mark.gear) == (figure, gear)
                and source in (None, mark.source)
                and band in (None, mark.band)
            ]
            for picture in self._pictures
        ]
        return share([(sum(hits), len(hits)) for hits in counted])


@dataclass(frozen=True, slots=True)
class Goal:
    """What the missing of a piece has to reach."""

    precision: float
    recall: float
    false_alarms: float = 0.03


GOALS = {Gear.HELMET: Goal(0.95, 0.88), Gear.VEST: Goal(0.97, 0.85)}


def choose(cases: Sequence[Case], sure: float) -> Thresholds:
    """Return, for a person threshold, the ones below which most who miss something are told and the goals hold.

    Where no threshold holds precision and false alarms, the lowest is taken.
    """
    missing = {gear: _lowest(cases, sure, gear, goal) for gear, goal in GOALS.items()}
    return Thresholds(sure, missing, {gear: max(0.6, below) for gear, below in missing.items()})


def _lowest(cases: Sequence[Case], sure: float, gear: Gear, goal: Goal) -> float:
    holding = [below for below in BELOWS if _holds(counts(cases, sure, gear, below), goal)]
    return max(holding, default=BELOWS[0])


def _holds(found: tuple[int, int, int, int], goal: Goal) -> bool:
    """Tell whether goals hold; one false alarm is no evidence where fewer are labelled than the goal allows one of."""
    right, wrong, _, worn = found
    return right >= goal.precision * (right + wrong) and wrong <= max(1.0, goal.false_alarms * worn)


def counts(cases: Sequence[Case], sure: float, gear: Gear, below: float) -> tuple[int, int, int, int]:
    """Return rightly and wrongly called missing, and how many miss it and wear it."""
    at = Thresholds(sure, dict.fromkeys(Gear, below), dict.fromkeys(Gear, 1.0))
    tally = {Figure.RECALL: [0, 0], Figure.FALSE: [0, 0]}
    for mark in (mark for case in cases for mark in marks(case, at) if mark.gear is gear and mark.figure in tally):
        tally[mark.figure][0] += mark.hit
        tally[mark.figure][1] += 1
    (right, bare), (wrong, worn) = tally[Figure.RECALL], tally[Figure.FALSE]
    return right, wrong, bare, worn
