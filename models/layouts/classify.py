"""Classifiers of the whole picture: what reaches its score is everywhere in it."""

from __future__ import annotations

import numpy as np

from models.layouts.base import Frame, Layout, Outputs, Raw, are_shares, only


def _fits(outputs: Outputs, frame: Frame) -> bool:
    output = only(outputs, 2)
    return output is not None and output.shape[1] == frame.classes


def _likely(outputs: Outputs, _frame: Frame) -> bool:
    return are_shares(outputs[0])


def _decode(outputs: Outputs, frame: Frame) -> Raw:
    scores = outputs[0][0]
    (classes,) = np.nonzero(scores >= frame.least)
    whole = np.array([[0, 0, frame.width, frame.height]], np.float32)
    return Raw(np.repeat(whole, len(classes), axis=0), scores[classes], classes)


CLASSIFY = (Layout("classify", "[1, classes]: a probability for each class", False, _fits, _likely, _decode),)
