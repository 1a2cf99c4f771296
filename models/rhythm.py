"""How quickly pictures come, and how much of the time was really watched. Pure; time is an argument."""

from __future__ import annotations

LOST_S = 1.5
"""Who is not seen for longer is gone; so long without any picture is blindness, unless pictures come that slowly."""
_PATIENCE_STEPS, _MOST_PATIENCE_S = 2.5, 5.0


class Rhythm:
    """``watched_s`` grows with the time between pictures and stands still through blindness."""

    def __init__(self) -> None:
        self.watched_s = 0.0
        self.seeing_s = 0.0
        """How long was watched since the camera was blind last."""
        self.looks = 0
        """How many pictures came since then, the first included."""
        self.was_blind = True
        """Whether nothing was seen just before the newest picture."""
        self._last_s: float | None = None
        self._step_s = 0.0

    @property
    def patience_s(self) -> float:
        """After how long without being seen somebody is gone, at this pace; at most 5 s."""
        return max(LOST_S, min(_PATIENCE_STEPS * self._step_s, _MOST_PATIENCE_S))

    def step(self, now_s: float) -> float:
        """Take up a picture taken at ``now_s`` (monotonic) and return the seconds since the one before, 0 for none."""
        passed_s = 0.0 if self._last_s is None else now_s - self._last_s
        self.was_blind = self._last_s is None or passed_s > self.patience_s
        self.seeing_s = 0.0 if self.was_blind else self.seeing_s + passed_s
        self.looks = 1 if self.was_blind else self.looks + 1
        if not self.was_blind:
            self.watched_s += passed_s
        self._last_s, self._step_s = now_s, passed_s
        return passed_s
