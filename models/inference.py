"""Runs a bundle's networks on one picture. Lives in the worker only."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import onnxruntime as ort

from models.bundle import Bundle, ClassifierSpec, DetectorSpec, Limits
from models.detection import Box, Detection, Offer, Person, Wearing
from models.geometry import iou
from models.layouts import decode
from models.vocabulary import Gear

Picture = npt.NDArray[np.uint8]
"""height x width x 3, BGR."""
Session = Any

_EDGE_PX = 2.0
_LEAST_WIDTH_PX = 8.0
_ON_HEAD = frozenset((Gear.HELMET, Gear.MASK, Gear.GOGGLES))


def open_session(path: str) -> Session:
    """Load a network for one quiet thread: spinning threads cost half a core and gain nothing at camera pace."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def fit(picture: Picture, width: int, height: int, pad: int, shrink: int = cv2.INTER_LINEAR) -> tuple[Picture, float]:
    """Letterbox into the upper left corner of ``width`` x ``height``; return it and the zoom."""
    zoom = min(height / picture.shape[0], width / picture.shape[1])
    size = (max(1, round(picture.shape[1] * zoom)), max(1, round(picture.shape[0] * zoom)))
    canvas: Picture = np.full((height, width, 3), pad, np.uint8)
    canvas[: size[1], : size[0]] = cv2.resize(picture, size, interpolation=shrink if zoom < 1 else cv2.INTER_LINEAR)
    return canvas, zoom


def tensor(picture: Picture) -> npt.NDArray[np.float32]:
    """Return 1 x 3 x height x width, 0..255."""
    return picture.transpose(2, 0, 1)[None].astype(np.float32)


class Detector:
    """Finds persons."""

    def __init__(self, session: Session, spec: DetectorSpec) -> None:
        self._session, self.spec = session, spec
        self._input = session.get_inputs()[0].name

    def __call__(self, picture: Picture) -> list[Person]:
        """Return the persons, clipped to the picture."""
        canvas, zoom = fit(picture, self.spec.width, self.spec.height, self.spec.pad)
        output = self._session.run(None, {self._input: tensor(canvas)})[0]
        height, width = picture.shape[:2]
        found = decode(output, self.spec, zoom)
        return [Person(person.box.clipped(width, height), person.score) for person in found]


class Classifier:
    """Says of a person which equipment is worn."""

    def __init__(self, session: Session, spec: ClassifierSpec) -> None:
        self._session, self.spec = session, spec
        self._input = session.get_inputs()[0].name
        self._output = session.get_outputs()[0].name

    def __call__(self, picture: Picture, person: Person) -> Detection:
        """Return the person with what can be said; unknown where it is too small or its head is cut off."""
        box = person.box
        if box.height < self.spec.least_height or box.width < _LEAST_WIDTH_PX:
            return Detection(box, person.score)
        shares = self._probabilities(picture, box)
        cut = box.top <= _EDGE_PX
        gear = {gear: self._wearing(gear, share) for gear, share in shares.items() if not (cut and gear in _ON_HEAD)}
        return Detection(box, person.score, gear=gear)

    def _probabilities(self, picture: Picture, box: Box) -> dict[Gear, float]:
        dx, dy = self.spec.margin * box.width, self.spec.margin * box.height
        left, top = max(0, int(box.left - dx)), max(0, int(box.top - dy))
        crop = picture[top : int(box.bottom + dy), left : int(box.right + dx)]
        canvas, _ = fit(crop, self.spec.width, self.spec.height, self.spec.pad, cv2.INTER_AREA)
        output = self._session.run([self._output], {self._input: tensor(canvas)})[0]
        return dict(zip(self.spec.classes, map(float, output[0]), strict=True))

    def _wearing(self, gear: Gear, share: float) -> Wearing:
        limits = self.spec.limits[gear]
        if share < limits.missing_below:
            return Wearing.MISSING
        return Wearing.WORN if share >= limits.worn_from else Wearing.UNKNOWN


class Vision:
    """A loaded bundle. ``wanted`` tells which persons matter, so that the others cost nothing."""

    def __init__(self, bundle: Bundle) -> None:
        manifest = bundle.manifest
        self.title = bundle.title
        self.offers: Offer = manifest.offers
        self.sure = manifest.detector.sure
        self._detect = Detector(open_session(str(bundle.path(manifest.detector.file))), manifest.detector)
        spec = manifest.classifier
        self._classify = Classifier(open_session(str(bundle.path(spec.file))), spec) if spec else None

    def tune(self, person: float | None, helmet: float | None, vest: float | None) -> None:
        """Put a camera's own thresholds in place of the bundle's; None leaves the bundle's."""
        if person is not None:
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
        self._classify.spec = spec

    def look(self, picture: Picture, wanted: Callable[[Box], bool] = lambda _: True) -> list[Detection]:
        """Return every person in the picture; those not ``wanted`` are not judged."""
        judge = self._classify
        return [
            judge(picture, person) if judge and wanted(person.box) else Detection(person.box, person.score)
            for person in self._detect(picture)
        ]


def golden_faults(bundle: Bundle, vision: Vision) -> list[str]:
    """Run the bundle's golden cases; return what differs, in words."""
    faults: list[str] = []
    for case in bundle.manifest.golden:
        picture = cv2.imread(str(bundle.path(case.picture)))
        if picture is None:
            faults.append(f"{case.picture}: is not a picture")
            continue
        found = [person for person in vision.look(np.asarray(picture, np.uint8)) if person.score >= vision.sure]
        expected = [Detection(Box(*person.box), 1.0, gear=person.gear) for person in case.persons]
        faults += [f"{case.picture}: {fault}" for fault in _differences(expected, found)]
    return faults


def _differences(expected: Sequence[Detection], found: Sequence[Detection]) -> list[str]:
    if len(found) != len(expected):
        return [f"{len(found)} persons found, not {len(expected)}"]
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
