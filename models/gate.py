"""Which pictures need no look, because nothing changed since the last one. Pure; time is an argument."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from models.vocabulary import Thing

Grey = npt.NDArray[np.uint8]

FORCED_S = 1.0
"""The longest time without a look. Less than tracking.LOST_S, though nobody is tracked while the gate is shut."""
CHANGED = 10
"""Levels of grey by which one cell must differ; a cell is the mean of many pixels, so noise stays far below."""
_WIDTH, _HEIGHT = 64, 36
_SEEN_BY_MOVING = frozenset((Thing.PERSON, Thing.VEHICLE))


class Looked(NamedTuple):
    """The last look: its small grey picture, when (monotonic), and whether anything was found or is remembered."""

    grey: Grey
    at_s: float
    is_busy: bool


def small(picture: npt.NDArray[np.uint8]) -> Grey:
    """Return a BGR picture as 64 x 36 cells of grey."""
    shrunk = cv2.resize(picture, (_WIDTH, _HEIGHT), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.cvtColor(shrunk, cv2.COLOR_BGR2GRAY), np.uint8)


def needs_look(last: Looked | None, grey: Grey, now_s: float) -> bool:
    """Tell whether the picture taken at ``now_s`` must be looked at.

    It is compared with the last one looked at, not the last one taken: slow changes add up.
    """
    if last is None or last.is_busy or now_s - last.at_s >= FORCED_S:
        return True
    return bool(cv2.absdiff(grey, last.grey).max() >= CHANGED)


def may_gate(things: frozenset[Thing]) -> bool:
    """Tell whether all that a model finds moves when it appears; smoke and small flames may come too faintly."""
    return things <= _SEEN_BY_MOVING
