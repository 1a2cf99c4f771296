"""Tells a picture that shows nothing from one that shows something: black or covered, and frozen."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

DARK_MEAN, FLAT_SPREAD = 12.0, 4.0
DARK_S, FROZEN_S = 5.0, 10.0
_STRIDE = 8


class PictureWatch:
    """Remembers since when the picture is black, and since when not one pixel of a sample changed.

    A living sensor has noise, so that even a still scene changes.
    """

    def __init__(self) -> None:
        self._sample: npt.NDArray[np.uint8] | None = None
        self._changed_s = 0.0
        self._bright_s: float | None = None

    def fault(self, picture: npt.NDArray[np.uint8], now_s: float) -> str:
        """Return why the picture taken at ``now_s`` (monotonic) is worth nothing; empty when it is sound."""
        sample = picture[::_STRIDE, ::_STRIDE]
        if self._bright_s is None or sample.mean() >= DARK_MEAN or sample.std() >= FLAT_SPREAD:
            self._bright_s = now_s
        if self._sample is None or not np.array_equal(sample, self._sample):
            self._sample, self._changed_s = sample.copy(), now_s
        if now_s - self._bright_s >= DARK_S:
            return f"the picture is black for {now_s - self._bright_s:.0f} s"
        if now_s - self._changed_s >= FROZEN_S:
            return f"the picture is frozen for {now_s - self._changed_s:.0f} s"
        return ""
