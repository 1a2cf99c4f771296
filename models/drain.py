"""Tells live pictures from those that waited while nobody read. Pure; time is an argument."""

from __future__ import annotations

STALL_S = 2.0
_LIVE = 0.4
_LONGEST_S = 10.0
_STEP_S = 0.04
_WEIGHT = 0.1


class Drain:
    """After a stall pictures come out of buffers as fast as they are decoded; the first that must be waited for is new.

    A stream that never lets itself be waited for is believed again after 10 s.
    """

    def __init__(self) -> None:
        self._last_s: float | None = None
        self._until_s: float | None = None
        self._step_s = _STEP_S

    def is_old(self, asked_s: float, now_s: float) -> bool:
        """Judge a picture that was asked for at ``asked_s`` and came at ``now_s``, both monotonic seconds."""
        last_s, self._last_s = self._last_s, now_s
        if last_s is None:
            return False
        if now_s - last_s >= STALL_S:
            is_slow = self._until_s is not None  # twice in a row: so seldom do they come
            self._until_s = now_s + _LONGEST_S
            return not is_slow
        if self._until_s is None:
            self._step_s += _WEIGHT * (now_s - last_s - self._step_s)
            return False
        if now_s - asked_s >= _LIVE * self._step_s or now_s > self._until_s:
            self._until_s = None
        return self._until_s is not None
