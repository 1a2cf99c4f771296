"""SSD, with its own suppression of doubles and without. Class 0 is the background, the first label is class 1."""

from __future__ import annotations

import numpy as np

from models.layouts.base import (
    Array,
    Frame,
    Layout,
    Outputs,
    Raw,
    are_normalised,
    are_numbers,
    are_ordered,
    are_shares,
    every_class,
    pairs_of,
    sides,
)


def _raw_parts(outputs: Outputs, frame: Frame) -> tuple[Array, Array] | None:
    pairs = pairs_of(outputs, frame)
    return next((pair for pair in pairs if _are_probabilities(pair[1])), pairs[0] if pairs else None)


def _are_probabilities(scores: Array) -> bool:
    return are_shares(scores) and bool(np.abs(scores.sum(axis=1) - 1).max() < 0.01)


def _raw_fits(outputs: Outputs, frame: Frame) -> bool:
    return _raw_parts(outputs, frame) is not None


def _raw_likely(outputs: Outputs, frame: Frame) -> bool:
    parts = _raw_parts(outputs, frame)
    return parts is not None and are_normalised(parts[0]) and _are_probabilities(parts[1])


def _raw(outputs: Outputs, frame: Frame) -> Raw:
    parts = _raw_parts(outputs, frame)
    assert parts is not None
    return every_class(parts[0] * sides(frame), parts[1][:, 1:], frame.least)


def _listed_parts(outputs: Outputs) -> tuple[Array, Array, Array] | None:
    """Return boxes, classes, scores, in that order as exported; a fourth output counts them."""
    if len(outputs) not in (3, 4) or any(part.shape[:1] != (1,) for part in outputs):
        return None
    boxes = [part for part in outputs if part.ndim == 3 and part.shape[2] == 4]
    lists = [part for part in outputs if part.ndim == 2 and part.shape[1] > 1]
    if len(boxes) != 1 or len(lists) != 2 or any(part.shape[1] != boxes[0].shape[1] for part in lists):
        return None
    classes, scores = lists if (lists[0] >= 1).all() else reversed(lists)
    return boxes[0][0], classes[0], scores[0]


def _listed_fits(outputs: Outputs, _frame: Frame) -> bool:
    return _listed_parts(outputs) is not None


def _listed_likely(outputs: Outputs, frame: Frame) -> bool:
    parts = _listed_parts(outputs)
    if parts is None:
        return False
    boxes, classes, scores = parts
    listed = are_shares(scores) and are_numbers(classes - 1, frame.classes)
    return listed and are_normalised(boxes) and are_ordered(boxes)


def _listed(outputs: Outputs, frame: Frame) -> Raw:
    """Boxes are top, left, bottom, right as shares."""
    parts = _listed_parts(outputs)
    assert parts is not None
    boxes, classes, scores = parts
    kept = scores >= frame.least
    return Raw(boxes[kept][:, [1, 0, 3, 2]] * sides(frame), scores[kept], np.round(classes[kept]).astype(int) - 1)


SSD = (
    Layout(
        "ssd",
        "[1, N, 4] corners as shares and [1, N, 1 + classes] probabilities, background first",
        True,
        _raw_fits,
        _raw_likely,
        _raw,
    ),
    Layout(
        "ssd_nms",
        "top, left, bottom, right as shares; classes from 1; scores",
        False,
        _listed_fits,
        _listed_likely,
        _listed,
    ),
)
