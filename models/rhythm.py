"""How quickly pictures come, and how much of the time was really watched. Pure; time is an argument."""

from __future__ import annotations

from dataclasses import dataclass

LOST_S = 1.5
"""Who is not seen for longer is gone; so long without any picture is blindness, unless pictures come that slowly."""
_PATIENCE_STEPS, _MOST_PATIENCE_S = 2.5, 5.0


@dataclass(slots=True)
class Rhythm:
    """``watched_s`` grows with the time between pictures and stands still through blindness."""

    watched_s: float = 0.0
    seeing_s: float = 0.0
    """How long was watched since the camera was blind last."""
    looks: int = 0
    """How many pictures came since then, the first included."""
    was_blind: bool = True
    """Whether nothing was seen just before the newest picture."""
    last_s: float | None = None
    step_s: float = 0.0

    @property
    def patience_s(self) -> float:
        """After how long without being seen somebody is gone, at this pace; at most 5 s."""
        return max(LOST_S, min(_PATIENCE_STEPS * self.step_s, _MOST_PATIENCE_S))

    def step(self, now_s: float) -> float:
        """Take up a picture taken at ``now_s`` (monotonic) and return the seconds since the one before, 0 for none."""
        passed_s = 0.0 if self.last_s is None else max(0.0, now_s - self.last_s)
        self.was_blind = self.last_s is None or passed_s > self.patience_s
        self.seeing_s = 0.0 if self.was_blind else self.seeing_s + passed_s
        self.looks = 1 if self.was_blind else self.looks + 1
        if not self.was_blind:
            self.watched_s += passed_s
        self.last_s, self.step_s = now_s, passed_s
        return passed_s
