"""A bundle's detector: from a picture to boxes with meanings, by its declared input and layout. Worker only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np

from models.bundle import DetectorSpec
from models.detection import Box, Person
from models.feeding import Array, Picture, fit, tensor
from models.gear import Found
from models.geometry import without_parts
from models.layouts import LAYOUTS, Frame, Raw
from models.running import ModelFault, Network
from models.vocabulary import Gear, Meaning, Thing

_MOST = 300
"""Candidates that are looked at, the surest first: a broken network may call everything something."""


class Detector:
    """Finds what the bundle's classes mean. ``spec`` may be replaced, to change thresholds.

    ``judged`` is the equipment that its boxes tell of; another network may tell of the rest.
    """

    def __init__(self, session: Any, spec: DetectorSpec, judged: frozenset[Gear]) -> None:
        self.spec = spec
        self._network = Network(session, spec.file)
        self._means = [item if item and (item.gear is None or item.gear in judged) else None for item in spec.meanings]

    def __call__(self, picture: Picture) -> list[Found]:
        """Return what is found, clipped to the picture. Raises ModelFault."""
        fitted = fit(picture, self.spec)
        outputs = self._network(feeds(self._network, tensor(fitted.canvas, self.spec), self.spec))
        raw = decode(outputs, self.spec, self._means)
        height, width = picture.shape[:2]
        rows = zip(fitted.back(raw.boxes).tolist(), raw.scores.tolist(), raw.classes.tolist(), strict=True)
        named = ((Box(*box).clipped(width, height), score, self._means[number]) for box, score, number in rows)
        return [Found(box, score, means) for box, score, means in named if means is not None and box.area > 0]


def feeds(network: Network, batch: Array, spec: DetectorSpec) -> dict[str, Array]:
    """Return what each input takes: the picture, and where a second is asked for, the input's own size."""
    first, *others = [name for name, _, _ in network.inputs]
    size = np.array([[spec.width, spec.height]], np.int64)
    return {first: batch, **dict.fromkeys(others, size)}


def least_scores(spec: DetectorSpec, means: Sequence[Meaning | None]) -> Array:
    """Return from which score each class is taken: its own, else ``doubtful`` for persons and ``sure`` for others."""
    return np.array([_least(spec, label, item) for label, item in zip(spec.classes, means, strict=True)], np.float32)


def _least(spec: DetectorSpec, label: str, means: Meaning | None) -> float:
    if means is None:
        return np.inf
    return spec.thresholds.get(label, spec.doubtful if means.thing is Thing.PERSON else spec.sure)


def decode(outputs: Sequence[Array], spec: DetectorSpec, means: Sequence[Meaning | None]) -> Raw:
    """Return the candidates in pixels of the input, without doubles and without classes that mean nothing.

    Raises ModelFault when the outputs do not have the declared layout's shape.
    """
    layout, least = LAYOUTS[spec.layout], least_scores(spec, means)
    frame = Frame(spec.width, spec.height, len(spec.classes), float(least.min()))
    if not layout.fits(outputs, frame):
        shapes = " and ".join(str(list(output.shape)) for output in outputs)
        raise ModelFault(
            f"{spec.file} gave {shapes}; layout {layout.name} with {len(spec.classes)} classes is {layout.says}"
        )
    raw = layout.decode(outputs, frame)
    if raw.classes.size and not 0 <= raw.classes.min() <= raw.classes.max() < len(spec.classes):
        raise ModelFault(f"{spec.file} gave class {raw.classes.max()}; its manifest names {len(spec.classes)}")
    kept = raw.scores >= least[raw.classes]
    raw = Raw(raw.boxes[kept], raw.scores[kept], raw.classes[kept])
    return suppress(raw, spec.nms_iou) if layout.overlaps else raw


def suppress(raw: Raw, limit: float) -> Raw:
    """Drop, of boxes of one class that overlap by more than ``limit`` (IoU), all but the surest."""
    if not len(raw.scores):
        return raw
    sizes = np.concatenate([raw.boxes[:, :2], raw.boxes[:, 2:] - raw.boxes[:, :2]], axis=1)
    kept = cv2.dnn.NMSBoxesBatched(sizes.tolist(), raw.scores.tolist(), raw.classes.tolist(), 0.0, limit)
    rows = np.array(kept, dtype=int).reshape(-1)[:_MOST]
    return Raw(raw.boxes[rows], raw.scores[rows], raw.classes[rows])


def whole_persons(found: Sequence[Found]) -> list[Found]:
    """Drop person boxes that are the upper body of a surer person."""
    person = Meaning(thing=Thing.PERSON)
    persons = without_parts([Person(item.box, item.score) for item in found if item.meaning == person])
    return [
        *(Found(item.box, item.score, person) for item in persons),
        *(item for item in found if item.meaning != person),
    ]
