"""Whether pictures come as often as they are asked for. Pure; time is an argument."""

from __future__ import annotations

from collections import deque

from models.trust.hold import Hold

WINDOW_S, HOLD_S = 10.0, 10.0
_ENOUGH = 0.5


class PaceWatch:
    """Slow is fewer than half of the pictures asked for, over 10 s, for 10 s."""

    def __init__(self, asked: float) -> None:
        self._least = _ENOUGH * asked * WINDOW_S
        self._seen: deque[float] = deque()
        self._since_s: float | None = None
        self._few = Hold(HOLD_S, HOLD_S)

    def ask(self, pace: float) -> None:
        """Take that pace, in pictures a second, for the one asked for; a higher one counts from now on."""
        least = _ENOUGH * pace * WINDOW_S
        if least > self._least:
            self._since_s = None
        self._least = least

    def is_slow(self, now_s: float) -> bool:
        """Take up that a picture was taken at ``now_s``, monotonic seconds."""
        if self._since_s is None or now_s - self._seen[-1] > WINDOW_S:  # it begins, or is back
            self._since_s = now_s
            self._seen.clear()
        self._seen.append(now_s)
        while self._seen[0] <= now_s - WINDOW_S:
            self._seen.popleft()
        return self._few.see(now_s - self._since_s >= WINDOW_S and len(self._seen) < self._least, now_s)
