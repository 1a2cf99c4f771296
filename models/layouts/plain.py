"""Our own detectors: ``[1, N, 4 + classes]``, boxes in pixels of the input, one score per class, before NMS.

One box may show several things, a person and the helmet on it: every class that reaches its score counts.
"""

from __future__ import annotations

from models.layouts.base import (
    Frame,
    Layout,
    Outputs,
    Raw,
    are_normalised,
    are_ordered,
    are_shares,
    corners,
    every_class,
    is_grid,
    only,
)


def _fits(outputs: Outputs, frame: Frame) -> bool:
    output = only(outputs)
    return output is not None and output.shape[2] == 4 + frame.classes and is_grid(output.shape[1], frame)


def _corners_likely(outputs: Outputs, _frame: Frame) -> bool:
    rows = outputs[0][0]
    return are_shares(rows[:, 4:]) and are_ordered(rows) and not are_normalised(rows[:, :4])


def _centre_likely(outputs: Outputs, _frame: Frame) -> bool:
    rows = outputs[0][0]
    sized = are_shares(rows[:, 4:]) and not are_normalised(rows[:, :4])
    return sized and bool(rows[:, 2:4].min() >= 0) and not are_ordered(rows)


def _corners(outputs: Outputs, frame: Frame) -> Raw:
    rows = outputs[0][0]
    return every_class(rows[:, :4], rows[:, 4:], frame.least)


def _centre(outputs: Outputs, frame: Frame) -> Raw:
    rows = outputs[0][0]
    return every_class(corners(rows), rows[:, 4:], frame.least)


PLAIN = (
    Layout("boxes_corners", "[1, N, 4 + classes]: corners in pixels, scores", True, _fits, _corners_likely, _corners),
    Layout("boxes_centre", "[1, N, 4 + classes]: centre boxes in pixels, scores", True, _fits, _centre_likely, _centre),
)
