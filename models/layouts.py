"""How the raw output of a detector becomes persons: one function per layout. Runs in the worker only."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from models.bundle import DetectorSpec
from models.detection import Box, Person
from models.geometry import without_parts

Array = npt.NDArray[Any]
Decoder = Callable[[Array], Array]


def _corners(boxes: Array) -> Array:
    return boxes


def _centre(boxes: Array) -> Array:
    half = boxes[:, 2:] / 2
    return np.concatenate([boxes[:, :2] - half, boxes[:, :2] + half], axis=1)


DECODERS: dict[str, Decoder] = {"boxes_corners": _corners, "boxes_centre": _centre}
"""Layouts of ``[1, N, 4 + classes]``: N boxes in pixels of the input, then one score per class, before NMS.

Each turns the four box columns into left, top, right, bottom.
"""


def decode(output: Array, spec: DetectorSpec, zoom: float) -> list[Person]:
    """Return the persons in a detector's ``output``, in pixels of the picture that was zoomed by ``zoom``.

    Raises ValueError when the output does not have the declared layout.
    """
    if output.ndim != 3 or output.shape[0] != 1 or output.shape[2] != 4 + len(spec.classes):
        raise ValueError(
            f"the detector gave {list(output.shape)}, not [1, N, {4 + len(spec.classes)}] as its layout says"
        )
    scores = output[0, :, 4 + spec.classes.index(spec.person)]
    chosen = scores >= spec.doubtful
    boxes = DECODERS[spec.layout](output[0, chosen, :4]) / zoom
    return without_parts(_suppress(boxes, scores[chosen], spec.nms_iou))


def _suppress(boxes: Array, scores: Array, limit: float) -> list[Person]:
    if not len(boxes):
        return []
    sizes = np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], axis=1)  # NMSBoxes wants x, y, width, height
    kept = cv2.dnn.NMSBoxes(sizes.tolist(), scores.tolist(), 0.0, limit)
    return [Person(Box(*map(float, boxes[i])), float(scores[i])) for i in np.array(kept, dtype=int).reshape(-1)]
