"""A picture that stands still, though a clock drawn into it may run. Worker only; time is an argument."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

FROZEN_S = 8.5
"""So that it is told within 10 s of the last picture that lived, looked at twice a second."""
_COLUMNS = 160
"""To about so many columns the picture is thinned; not averaged: that would take the noise away."""
_BLOCK = 8
_ALIVE = 0.5
"""Grey levels by which a block changes on average when a sensor is behind it: its noise is more than that."""
_FEW = 0.06
_STRIP_ROWS = 2
_MARGIN = 0.25


class FrozenWatch:
    """Remembers when each block of the picture last changed.

    It is frozen when for 8.5 s nothing changed, or only a few blocks in one strip near the upper or lower edge:
    there a clock is drawn in. A person who walks there alone would be taken for one, but only while not one
    other block of the picture shows a sensor's noise.
    """

    def __init__(self) -> None:
        self._before: npt.NDArray[np.float32] | None = None
        self._changed_s: npt.NDArray[np.float64] = np.zeros((0, 0))

    def is_frozen(self, picture: npt.NDArray[np.uint8], now_s: float) -> bool:
        """Take up a picture (BGR) taken at ``now_s``, monotonic seconds."""
        step = max(1, round(picture.shape[1] / _COLUMNS))
        sample = picture[::step, ::step, 1].astype(np.float32)  # green: where a sensor sees most
        before = self._before
        if before is None or before.shape != sample.shape:
            self._before, self._changed_s = sample, np.full(_blocks(sample).shape, now_s)
            return False
        changed = _blocks(np.abs(sample - before)) > _ALIVE
        self._changed_s[changed] = now_s
        self._take(sample, changed)
        return _is_a_clock_at_most(now_s - self._changed_s < FROZEN_S)

    def _take(self, sample: npt.NDArray[np.float32], changed: npt.NDArray[np.bool_]) -> None:
        """Keep of each block what it was when it last changed, so that slow change adds up."""
        assert self._before is not None
        mask = np.kron(changed, np.ones((_BLOCK, _BLOCK), np.bool_))
        height, width = (min(pair) for pair in zip(mask.shape, sample.shape, strict=True))
        kept, mask = self._before[:height, :width], mask[:height, :width]
        kept[mask] = sample[:height, :width][mask]


def _blocks(sample: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return the mean of each whole block."""
    rows, columns = max(sample.shape[0] // _BLOCK, 1), max(sample.shape[1] // _BLOCK, 1)
    whole = sample[: rows * _BLOCK, : columns * _BLOCK]
    return np.asarray(whole.reshape(rows, -1, columns, whole.shape[1] // columns).mean(axis=(1, 3)), np.float32)


def _is_a_clock_at_most(alive: npt.NDArray[np.bool_]) -> bool:
    """Tell whether what changed lately is nothing, or few blocks in one strip near an edge."""
    rows = np.flatnonzero(alive.any(axis=1))
    if not len(rows):
        return True
    few = alive.sum() <= max(_FEW * alive.size, 2)
    edge = max(round(_MARGIN * alive.shape[0]), 1)
    is_strip = rows[-1] - rows[0] < _STRIP_ROWS and (rows[-1] < edge or rows[0] >= alive.shape[0] - edge)
    return bool(few and is_strip)
