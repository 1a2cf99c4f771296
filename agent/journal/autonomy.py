"""For how long the journal can take everything in while nothing is sent. Pure; time is an argument."""

from __future__ import annotations

from collections import deque

LONGEST_H = 9999.0
_BUCKET_S = 60.0
_WINDOW_S = 3600.0


class Autonomy:
    """One lane's pace, over the last hour; ``hours`` tells what that means for the room that is left."""

    def __init__(self) -> None:
        self._began_s: float | None = None
        self._buckets: deque[tuple[float, int]] = deque()

    def add(self, size: int, now_s: float) -> None:
        """Count ``size`` bytes as recorded at ``now_s`` (monotonic)."""
        self._began_s = now_s if self._began_s is None else self._began_s
        if self._buckets and now_s - self._buckets[-1][0] < _BUCKET_S:
            at_s, before = self._buckets.pop()
            self._buckets.append((at_s, before + size))
        else:
            self._buckets.append((now_s, size))
        while self._buckets[0][0] < now_s - _WINDOW_S:
            self._buckets.popleft()

    def hours(self, free_bytes: float, now_s: float) -> float:
        """Return the hours until ``free_bytes`` are filled at this pace; at most 9999."""
        recent = sum(size for at_s, size in self._buckets if at_s >= now_s - _WINDOW_S)
        if not recent or self._began_s is None:
            return LONGEST_H
        span_s = max(_BUCKET_S, min(_WINDOW_S, now_s - self._began_s))
        return min(LONGEST_H, max(0.0, free_bytes) / (recent / span_s) / 3600.0)
