"""Runs a bundle's networks on one picture. Lives in the worker only."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from models.bundle import Belief, Bundle, ClassifierSpec, GoldenCase, Limits
from models.detection import Box, Detection, Offer, Wearing
from models.feeding import Array, fit, tensor
from models.feeding import Picture as Picture
from models.finding import Detector, whole_persons
from models.gear import ON_HEAD, fold
from models.geometry import iou
from models.labels import meanings
from models.opening import SAFE, Engine, Session
from models.opening import open_session as open_session
from models.running import ModelFault, Network
from models.vocabulary import Gear, Meaning, Thing
from models.wire import Ready

_EDGE_PX = 2.0
_LEAST_WIDTH_PX = 8.0


class Classifier:
    """Says of a person which equipment is worn."""

    def __init__(self, session: Session, spec: ClassifierSpec) -> None:
        self._network, self.spec = Network(session, spec.file), spec

    def judge(self, person: Detection, shares: Mapping[Gear, float]) -> Detection:
        """Return the person with what its ``shares`` say; unknown where it is too small or its head is cut off."""
        gear = {gear: self._wearing(gear, share) for gear, share in shares.items()}
        return replace(person, gear={**person.gear, **gear})

    def believes(self, score: float, shares: Mapping[Gear, float]) -> bool:
        """Tell whether what is missing makes a person of a box that scored too little."""
        return any(gear in shares and belief.holds(score, shares[gear]) for gear, belief in self.spec.believes.items())

    def shares(self, picture: Picture, box: Box) -> dict[Gear, float]:
        """Return P(worn) of each piece that can be judged on whoever stands in ``box``."""
        if box.height < self.spec.least_height or box.width < _LEAST_WIDTH_PX:
            return {}
        shares = self._probabilities(picture, box)
        cut = box.top <= _EDGE_PX
        return {gear: share for gear, share in shares.items() if not (cut and gear in ON_HEAD)}

    def _probabilities(self, picture: Picture, box: Box) -> dict[Gear, float]:
        dx, dy = self.spec.margin * box.width, self.spec.margin * box.height
        left, top = max(0, int(box.left - dx)), max(0, int(box.top - dy))
        crop = picture[top : int(box.bottom + dy), left : int(box.right + dx)]
        fitted = fit(crop, self.spec, cv2.INTER_AREA)
        (name, *_), *_ = self._network.inputs
        return probabilities(self._network({name: tensor(fitted.canvas, self.spec)})[0], self.spec)

    def _wearing(self, gear: Gear, share: float) -> Wearing:
        limits = self.spec.limits[gear]
        if share < limits.missing_below:
            return Wearing.MISSING
        return Wearing.WORN if share >= limits.worn_from else Wearing.UNKNOWN


def probabilities(output: Array, spec: ClassifierSpec) -> dict[Gear, float]:
    """Return P(worn) of each piece. Raises ModelFault when the output has another shape or is no probability."""
    labels = spec.labels if spec.layout == "crop_softmax" else spec.classes
    shares = output[0].tolist() if output.shape == (1, len(labels)) else []
    if not shares or not all(-1e-4 <= share <= 1 + 1e-4 for share in shares):
        raise ModelFault(f"{spec.file} gave {list(output.shape)}, not probabilities of [1, {len(labels)}]")
    if spec.layout == "crop_probabilities":
        return dict(zip(spec.classes, shares, strict=True))
    means = meanings(spec.labels, {})
    return {gear: _share(gear, means, shares) for gear in spec.classes}


def _share(gear: Gear, means: Sequence[Meaning | None], shares: Sequence[float]) -> float:
    """Return the probability of worn among what the labels say of this piece."""
    of_gear = [(item.worn, share) for item, share in zip(means, shares, strict=True) if item and item.gear is gear]
    total = sum(share for _, share in of_gear)
    return sum(share for worn, share in of_gear if worn) / total if total > 0 else 0.5


class Vision:
    """A loaded bundle. ``wanted`` tells which persons matter, so that the others cost nothing."""

    def __init__(self, bundle: Bundle, engine: Engine = SAFE, cache: Path | None = None) -> None:
        """Load the networks for an engine; raises NotOpened when it takes none of them."""
        manifest, self.engine = bundle.manifest, engine
        self.offers: Offer = manifest.offers
        self.sure = manifest.detector.sure
        spec = manifest.classifier
        self._boxed = manifest.offers.gear - frozenset(spec.classes if spec else ())
        found = manifest.detector.in_precision(engine.precision)
        detector = open_session(str(bundle.path(found.file)), engine.provider, cache)
        runs = (engine.precision, str(engine.provider))
        self.ready = Ready(manifest.name, manifest.version, bundle.digest(), *runs)
        self._detect = Detector(detector, found, self._boxed)
        self._classify = (
            Classifier(open_session(str(bundle.path(spec.file)), engine.provider, cache), spec) if spec else None
        )

    def tune(self, person: float | None, helmet: float | None, vest: float | None) -> None:
        """Put a camera's own thresholds in place of the bundle's; None leaves the bundle's."""
        if person is not None:
            self._move_beliefs(person - self.sure)
            self.sure = person
            self._detect.spec = self._detect.spec.model_copy(
                update={"sure": person, "doubtful": min(person, self._detect.spec.doubtful)}
            )
        if self._classify is None:
            return
        spec = self._classify.spec
        for gear, below in ((Gear.HELMET, helmet), (Gear.VEST, vest)):
            if below is not None:
                limits = Limits(missing_below=below, worn_from=max(below, spec.limits[gear].worn_from))
                spec = spec.model_copy(update={"limits": {**spec.limits, gear: limits}})
                spec = spec.model_copy(update={"believes": _stricter(spec.believes, gear, below)})
        self._classify.spec = spec

    def _move_beliefs(self, by: float) -> None:
        """Keep as far from the score of a person as the bundle does: who wants fewer or more people gets them."""
        if self._classify is None:
            return
        spec = self._classify.spec
        moved = {gear: it.model_copy(update={"score": it.score + by}) for gear, it in spec.believes.items()}
        self._classify.spec = spec.model_copy(update={"believes": moved})

    def look(self, picture: Picture, wanted: Callable[[Box], bool] = lambda _: True) -> list[Detection]:
        """Return every person and thing in the picture; persons not ``wanted`` are not judged. Raises ModelFault."""
        return [item for item, _ in self.see(picture, wanted)]

    def see(
        self, picture: Picture, wanted: Callable[[Box], bool] = lambda _: True
    ) -> list[tuple[Detection, dict[Gear, float]]]:
        """Return what ``look`` does, each with P(worn) of what was judged on it. Raises ModelFault."""
        height, width = picture.shape[:2]
        found = fold(whole_persons(self._detect(picture)), self._boxed)
        inside = [replace(item, box=item.box.clipped(width, height)) for item in found]
        return [
            self._judged(picture, item) if item.thing is Thing.PERSON and wanted(item.box) else (item, {})
            for item in inside
        ]

    def _judged(self, picture: Picture, person: Detection) -> tuple[Detection, dict[Gear, float]]:
        judge = self._classify
        if judge is None:
            return person, {}
        shares = judge.shares(picture, person.box)
        judged = judge.judge(person, shares)
        if person.score < self.sure and judge.believes(person.score, shares):
            judged = replace(judged, score=self.sure, raised=True)
        return judged, shares

    def weigh(self, picture: Picture, box: Box) -> dict[Gear, float]:
        """Return P(worn) of what the classifier can judge on whoever stands in ``box``. Raises ModelFault."""
        return self._classify.shares(picture, box) if self._classify else {}


def _stricter(believes: Mapping[Gear, Belief], gear: Gear, below: float) -> dict[Gear, Belief]:
    """Return beliefs of which none calls a piece missing that a camera's own threshold does not."""
    return {
        own: belief.model_copy(update={"missing_below": min(belief.missing_below, below)}) if own is gear else belief
        for own, belief in believes.items()
    }


def golden_faults(bundle: Bundle, vision: Vision) -> list[str]:
    """Run the bundle's golden cases; return what differs, in words."""
    faults: list[str] = []
    for case in bundle.manifest.golden:
        picture = cv2.imread(str(bundle.path(case.picture)))
        if picture is None:
            faults.append(f"{case.picture}: is not a picture")
            continue
        found = [item for item in vision.look(np.asarray(picture, np.uint8)) if item.score >= vision.sure]
        faults += [f"{case.picture}: {fault}" for fault in _case_faults(case, found)]
    return faults


def _case_faults(case: GoldenCase, found: Sequence[Detection]) -> list[str]:
    persons = [Detection(Box(*person.box), 1.0, gear=person.gear) for person in case.persons]
    faults = _differences(persons, [item for item in found if item.thing is Thing.PERSON])
    for thing in sorted({item.thing for item in found} | {item.thing for item in case.things} - {Thing.PERSON}):
        if thing is not Thing.PERSON:
            expected = [Detection(Box(*item.box), 1.0, thing) for item in case.things if item.thing is thing]
            faults += _differences(expected, [item for item in found if item.thing is thing])
    return faults


def _differences(expected: Sequence[Detection], found: Sequence[Detection]) -> list[str]:
    if len(found) != len(expected):
        kind = (*expected, *found)[0].thing
        return [f"{len(found)} {kind}s found, not {len(expected)}"]
    faults: list[str] = []
    for number, person in enumerate(expected, 1):
        match = max(found, key=lambda other: iou(person.box, other.box))
        if iou(person.box, match.box) < 0.7:
            faults.append(f"person {number} was not found")
            continue
        faults += [
            f"person {number}: {gear} {match.wears(gear)}, not {wearing}"
            for gear, wearing in person.gear.items()
            if match.wears(gear) is not wearing
        ]
    return faults
