"""Running. Pure."""

from __future__ import annotations

from models.behaviours.base import Fact, Facts, View

STOP_SHARE = 0.8


class Running:
    """Somebody runs from the limit on, in body heights per second over a second or more, until below four fifths."""

    def __init__(self, above: float) -> None:
        self._above = above
        self.running: set[int] = set()

    def observe(self, view: View) -> Facts:
        """Return how many are ``running``; who is not seen clearly, or for long enough, keeps the answer, unsure."""
        self.running &= {track.id for track in view.people}
        unsure = False
        for track in view.people:
            speed = track.pace.speed if view.is_clear(track) else None
            if speed is None:
                unsure = unsure or track.id not in self.running
            elif speed >= self._above:
                self.running.add(track.id)
            elif speed < STOP_SHARE * self._above:
                self.running.discard(track.id)
        return {"running": Fact(len(self.running), not unsure)}
