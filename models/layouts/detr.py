"""The families of DETR: RT-DETR as Ultralytics exports it, RF-DETR, D-FINE. They give no doubles."""

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
    best_class,
    corners,
    every_class,
    is_grid,
    only,
    pairs_of,
    sides,
    sigmoid,
)


def _ranked_fits(outputs: Outputs, frame: Frame) -> bool:
    output = only(outputs)
    return output is not None and output.shape[2] == 6 and not is_grid(output.shape[1], frame)


def _ranked_likely(outputs: Outputs, frame: Frame) -> bool:
    rows = outputs[0][0]
    shares = are_shares(rows[:, 4]) and are_normalised(rows[:, :4])
    return shares and are_numbers(rows[:, 5], frame.classes) and bool(rows[:, 2:4].min() >= 0)


def _ranked(outputs: Outputs, frame: Frame) -> Raw:
    rows = outputs[0][0]
    rows = rows[rows[:, 4] >= frame.least]
    return Raw(corners(rows[:, :4] * sides(frame)), rows[:, 4], np.round(rows[:, 5]).astype(int))


def _scored_fits(outputs: Outputs, frame: Frame) -> bool:
    output = only(outputs)
    return output is not None and output.shape[2] == 4 + frame.classes and not is_grid(output.shape[1], frame)


def _scored_likely(outputs: Outputs, _frame: Frame) -> bool:
    rows = outputs[0][0]
    graded = bool((rows[:, 4:] != np.round(rows[:, 4:])).any(axis=0).all())  # a column of whole numbers is a class
    return graded and are_shares(rows[:, 4:]) and are_normalised(rows[:, :4]) and bool(rows[:, 2:4].min() >= 0)


def _scored(outputs: Outputs, frame: Frame) -> Raw:
    rows = outputs[0][0]
    return best_class(corners(rows[:, :4] * sides(frame)), rows[:, 4:], frame.least)


def _rfdetr_parts(outputs: Outputs, frame: Frame) -> tuple[Array, Array] | None:
    """Return boxes and logits, whichever comes first; the last logit is "nothing there"."""
    pairs = pairs_of(outputs, frame)
    return next(
        (pair for pair in pairs if are_shares(pair[0]) and not are_shares(pair[1])), pairs[0] if pairs else None
    )


def _rfdetr_fits(outputs: Outputs, frame: Frame) -> bool:
    return _rfdetr_parts(outputs, frame) is not None


def _rfdetr_likely(outputs: Outputs, frame: Frame) -> bool:
    parts = _rfdetr_parts(outputs, frame)
    return parts is not None and are_normalised(parts[0]) and not are_shares(parts[1])


def _rfdetr(outputs: Outputs, frame: Frame) -> Raw:
    parts = _rfdetr_parts(outputs, frame)
    assert parts is not None
    return every_class(corners(parts[0] * sides(frame)), sigmoid(parts[1][:, : frame.classes]), frame.least)


def _dfine_parts(outputs: Outputs) -> tuple[Array, Array, Array] | None:
    """Return labels, boxes, scores: labels are whole numbers by their type."""
    if len(outputs) != 3 or any(part.shape[:1] != (1,) for part in outputs):
        return None
    boxes = [part for part in outputs if part.ndim == 3 and part.shape[2] == 4]
    labels = [part for part in outputs if part.ndim == 2 and part.dtype.kind in "iu"]
    scores = [part for part in outputs if part.ndim == 2 and part.dtype.kind == "f"]
    if (len(boxes), len(labels), len(scores)) != (1, 1, 1):
        return None
    return labels[0][0], boxes[0][0], scores[0][0]


def _dfine_fits(outputs: Outputs, _frame: Frame) -> bool:
    return _dfine_parts(outputs) is not None


def _dfine_likely(outputs: Outputs, frame: Frame) -> bool:
    parts = _dfine_parts(outputs)
    if parts is None:
        return False
    labels, boxes, scores = parts
    return are_shares(scores) and are_numbers(labels, frame.classes) and are_ordered(boxes)


def _dfine(outputs: Outputs, frame: Frame) -> Raw:
    """Boxes are corners in pixels of the size that was asked for, which is the input's."""
    parts = _dfine_parts(outputs)
    assert parts is not None
    labels, boxes, scores = parts
    kept = scores >= frame.least
    return Raw(boxes[kept], scores[kept], labels[kept].astype(int))


DETR = (
    Layout(
        "detr_norm", "[1, N, 6]: centre boxes as shares, score, class", False, _ranked_fits, _ranked_likely, _ranked
    ),
    Layout(
        "detr_scores",
        "[1, N, 4 + classes]: centre boxes as shares, scores",
        False,
        _scored_fits,
        _scored_likely,
        _scored,
    ),
    Layout(
        "rfdetr",
        "[1, N, 4] centre boxes as shares and [1, N, classes + 1] logits",
        False,
        _rfdetr_fits,
        _rfdetr_likely,
        _rfdetr,
    ),
    Layout(
        "dfine",
        "labels, corners in pixels, scores; a second input takes the picture's size",
        False,
        _dfine_fits,
        _dfine_likely,
        _dfine,
        inputs=2,
    ),
)
