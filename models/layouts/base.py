"""What every layout has: how its outputs become boxes in pixels of the network's input. Worker only."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Outputs = Sequence[Array]


@dataclass(frozen=True, slots=True)
class Frame:
    """What a decoder must know: the input's size in pixels, the number of classes, the lowest score of interest."""

    width: int
    height: int
    classes: int
    least: float


class Raw(NamedTuple):
    """n candidates: ``boxes`` n x 4 as left, top, right, bottom in pixels of the input; score 0..1; class number."""

    boxes: Array
    scores: Array
    classes: Array


Decode = Callable[[Outputs, Frame], Raw]
Rule = Callable[[Outputs, Frame], bool]


@dataclass(frozen=True, slots=True)
class Layout:
    """One meaning of a detector's outputs.

    ``fits`` judges by shapes alone, ``likely`` by the values of a dry run whose shapes fit; ``overlaps`` says that
    the same thing is found many times, so that doubles must be dropped.
    """

    name: str
    says: str
    overlaps: bool
    fits: Rule
    likely: Rule
    decode: Decode
    inputs: int = 1


def corners(centred: Array) -> Array:
    """Turn centre x, centre y, width, height into left, top, right, bottom."""
    half = centred[:, 2:4] / 2
    return np.concatenate([centred[:, :2] - half, centred[:, :2] + half], axis=1)


def sides(frame: Frame) -> Array:
    """Return what makes pixels of a box in shares of the input."""
    return np.array([frame.width, frame.height, frame.width, frame.height], dtype=np.float32)


def best_class(boxes: Array, scores: Array, least: float) -> Raw:
    """Take of each row the best class, where its score reaches ``least``."""
    best = scores.argmax(axis=1)
    top = scores[np.arange(len(scores)), best]
    kept = top >= least
    return Raw(boxes[kept], top[kept], best[kept])


def every_class(boxes: Array, scores: Array, least: float) -> Raw:
    """Take each class of each row whose score reaches ``least``: one box may show several things."""
    rows, classes = np.divmod(np.flatnonzero(scores >= least), scores.shape[1])
    return Raw(boxes[rows], scores[rows, classes], classes)


def sigmoid(values: Array) -> Array:
    """Return 1 / (1 + e^-x) without overflow."""
    return np.asarray(0.5 * (1 + np.tanh(0.5 * values)))


def cells(frame: Frame, strides: Iterable[int], per_cell: int = 1) -> int:
    """Return how many candidates a grid network has on an input of this size."""
    return per_cell * sum(-(-frame.width // stride) * -(-frame.height // stride) for stride in strides)


def is_grid(count: int, frame: Frame, per_cell: int = 1) -> bool:
    """Tell whether ``count`` candidates are what a network with strides 8, 16, 32 (and 64) gives."""
    return count in (cells(frame, (8, 16, 32), per_cell), cells(frame, (8, 16, 32, 64), per_cell))


def only(outputs: Outputs, dimensions: int = 3) -> Array | None:
    """Return the single output when it is one, of a batch of one."""
    if len(outputs) != 1 or outputs[0].ndim != dimensions or outputs[0].shape[0] != 1:
        return None
    return outputs[0]


def pairs_of(outputs: Outputs, frame: Frame) -> list[tuple[Array, Array]]:
    """Return boxes and scores of one class more than there are, in every order that the shapes allow."""
    if len(outputs) != 2 or any(part.ndim != 3 or part.shape[0] != 1 for part in outputs):
        return []
    wanted = (4, frame.classes + 1)
    return [
        (boxes[0], scores[0])
        for boxes, scores in (outputs, outputs[::-1])
        if boxes.shape[1] == scores.shape[1] and (boxes.shape[2], scores.shape[2]) == wanted
    ]


def are_shares(values: Array) -> bool:
    """Tell whether all lie in 0..1."""
    return bool(values.size and values.min() >= -1e-4 and values.max() <= 1 + 1e-4)


def are_normalised(boxes: Array) -> bool:
    """Tell whether coordinates are shares of the picture rather than pixels."""
    return bool(np.abs(boxes).max(initial=0.0) <= 1.5)


def are_ordered(boxes: Array) -> bool:
    """Tell whether boxes are corners: right and bottom never before left and top."""
    return bool((boxes[:, 2] >= boxes[:, 0]).all() and (boxes[:, 3] >= boxes[:, 1]).all())


def are_numbers(values: Array, count: int) -> bool:
    """Tell whether all are whole numbers of classes, 0 to ``count`` - 1."""
    return bool((values == np.round(values)).all() and values.min() >= 0 and values.max() < count)
