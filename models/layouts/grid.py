"""Networks whose raw output must be laid on their grid: YOLOX and NanoDet."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from models.layouts.base import (
    Array,
    Frame,
    Layout,
    Outputs,
    Raw,
    are_shares,
    best_class,
    cells,
    corners,
    is_grid,
    only,
)

_THREE, _FOUR = (8, 16, 32), (8, 16, 32, 64)
_BINS = 8
_HALF_CELL = 0.5
_LARGEST_RAW = 40.0
"""Raw offsets are counted in cells and raw sizes are logarithms: neither comes near this, pixels do."""


def _yolox_fits(outputs: Outputs, frame: Frame) -> bool:
    output = only(outputs)
    return output is not None and output.shape[2] == 5 + frame.classes and is_grid(output.shape[1], frame)


def _yolox_likely(outputs: Outputs, _frame: Frame) -> bool:
    rows = outputs[0][0]
    return are_shares(rows[:, 4:]) and bool(np.abs(rows[:, :4]).max() < _LARGEST_RAW)


def _yolox(outputs: Outputs, frame: Frame) -> Raw:
    rows = outputs[0][0]
    points, strides = _grid(frame, _strides(len(rows), frame))
    kept = rows[:, 4] >= frame.least
    rows, points, strides = rows[kept], points[kept], strides[kept]
    boxes = np.concatenate([(rows[:, :2] + points) * strides, np.exp(rows[:, 2:4]) * strides], axis=1)
    return best_class(corners(boxes), rows[:, 5:] * rows[:, 4:5], frame.least)


def _nanodet_fits(outputs: Outputs, frame: Frame) -> bool:
    output = only(outputs)
    return output is not None and output.shape[2] == frame.classes + 4 * _BINS and is_grid(output.shape[1], frame)


def _nanodet_likely(outputs: Outputs, frame: Frame) -> bool:
    return are_shares(outputs[0][0][:, : frame.classes])


def _nanodet(outputs: Outputs, frame: Frame) -> Raw:
    """Each side's distance is the mean of a distribution over 0 … 7 cells, from the cell's point.

    That point is the cell's corner in NanoDet-Plus, which has a fourth stride, and its centre in the first NanoDet.
    """
    rows = outputs[0][0]
    used = _strides(len(rows), frame)
    points, strides = _grid(frame, used)
    kept = rows[:, : frame.classes].max(axis=1) >= frame.least
    rows, points, strides = rows[kept], points[kept], strides[kept]
    start = (points + (0.0 if used == _FOUR else _HALF_CELL)) * strides
    sides = _means(rows[:, frame.classes :].reshape(-1, 4, _BINS)) * strides
    boxes = np.concatenate([start - sides[:, :2], start + sides[:, 2:]], axis=1)
    limits = np.array([frame.width, frame.height] * 2, dtype=boxes.dtype)
    return best_class(np.clip(boxes, 0, limits), rows[:, : frame.classes], frame.least)


def _means(logits: Array) -> Array:
    weights = np.exp(logits - logits.max(axis=2, keepdims=True))
    return np.asarray((weights * np.arange(_BINS)).sum(axis=2) / weights.sum(axis=2))


def _strides(count: int, frame: Frame) -> tuple[int, ...]:
    return _FOUR if count == cells(frame, _FOUR) else _THREE


def _grid(frame: Frame, strides: Sequence[int]) -> tuple[Array, Array]:
    """Return column and row of every cell, n x 2, and its stride, n x 1."""
    points, sizes = [], []
    for stride in strides:
        across, down = -(-frame.width // stride), -(-frame.height // stride)
        x, y = np.meshgrid(np.arange(across), np.arange(down))
        points.append(np.stack([x.ravel(), y.ravel()], axis=1))
        sizes.append(np.full((across * down, 1), stride))
    return np.concatenate(points).astype(np.float32), np.concatenate(sizes).astype(np.float32)


GRID = (
    Layout(
        "yolox",
        "[1, N, 5 + classes]: raw offsets on a grid, objectness, scores",
        True,
        _yolox_fits,
        _yolox_likely,
        _yolox,
    ),
    Layout(
        "nanodet",
        "[1, N, classes + 32]: scores, then a distribution for each side",
        True,
        _nanodet_fits,
        _nanodet_likely,
        _nanodet,
    ),
)
