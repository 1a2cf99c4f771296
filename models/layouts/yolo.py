"""The families of YOLO: v5, v8 to 26 in both exports, YOLO-NAS. Boxes are in pixels of the input."""

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
    is_grid,
    only,
)


def _v8_fits(outputs: Outputs, frame: Frame) -> bool:
    output = only(outputs)
    return output is not None and output.shape[1] == 4 + frame.classes and is_grid(output.shape[2], frame)


def _v8_likely(outputs: Outputs, _frame: Frame) -> bool:
    output = outputs[0][0]
    return are_shares(output[4:]) and not are_normalised(output[:4]) and bool(output[2:4].min() >= 0)


def _v8(outputs: Outputs, frame: Frame) -> Raw:
    """Rows are columns here; picking them before the transpose saves the time of a copy."""
    output = outputs[0][0]
    kept = output[4:].max(axis=0) >= frame.least
    rows = output[:, kept].T
    return best_class(corners(rows), rows[:, 4:], frame.least)


def _v5_fits(outputs: Outputs, frame: Frame) -> bool:
    output = only(outputs)
    if output is None or output.shape[2] != 5 + frame.classes:
        return False
    return is_grid(output.shape[1], frame, 3) or is_grid(output.shape[1], frame)


def _v5_likely(outputs: Outputs, _frame: Frame) -> bool:
    rows = outputs[0][0]
    return are_shares(rows[:, 4:]) and not are_normalised(rows[:, :4]) and bool(rows[:, 2:4].min() >= 0)


def _v5(outputs: Outputs, frame: Frame) -> Raw:
    rows = outputs[0][0]
    rows = rows[rows[:, 4] >= frame.least]
    return best_class(corners(rows), rows[:, 5:] * rows[:, 4:5], frame.least)


def _e2e_fits(outputs: Outputs, frame: Frame) -> bool:
    output = only(outputs)
    return output is not None and output.shape[2] == 6 and not is_grid(output.shape[1], frame)


def _e2e_likely(outputs: Outputs, frame: Frame) -> bool:
    rows = outputs[0][0]
    found = rows[rows[:, 4] > 0]
    if not len(found):
        return True
    ranked = are_shares(rows[:, 4]) and are_numbers(rows[:, 5], frame.classes)
    return ranked and are_ordered(found) and not are_normalised(found[:, :4])


def _e2e(outputs: Outputs, frame: Frame) -> Raw:
    return _rows(outputs[0][0], frame)


def _nas_fits(outputs: Outputs, _frame: Frame) -> bool:
    return len(outputs) == 1 and outputs[0].ndim == 2 and outputs[0].shape[1] == 7


def _nas_likely(outputs: Outputs, frame: Frame) -> bool:
    rows = outputs[0]
    if not len(rows):
        return True
    return are_shares(rows[:, 5]) and are_numbers(rows[:, 6], frame.classes) and are_ordered(rows[:, 1:5])


def _nas(outputs: Outputs, frame: Frame) -> Raw:
    return _rows(outputs[0][:, 1:], frame)


def _rows(rows: Array, frame: Frame) -> Raw:
    """Take rows of left, top, right, bottom, score, class."""
    rows = rows[rows[:, 4] >= frame.least]
    return Raw(rows[:, :4], rows[:, 4], np.round(rows[:, 5]).astype(int))


YOLO = (
    Layout("yolo_v8", "[1, 4 + classes, N]: centre boxes in pixels, then scores", True, _v8_fits, _v8_likely, _v8),
    Layout("yolo_v5", "[1, N, 5 + classes]: centre boxes in px, objectness, scores", True, _v5_fits, _v5_likely, _v5),
    Layout("yolo_e2e", "[1, N, 6]: corners in pixels, score, class", False, _e2e_fits, _e2e_likely, _e2e),
    Layout("yolo_nas", "[n, 7]: batch, corners in pixels, score, class", False, _nas_fits, _nas_likely, _nas),
)
