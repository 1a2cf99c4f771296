"""Running."""

from __future__ import annotations

from models.behaviours.base import Facts, View

ENTER_S = 0.4
STOP_SHARE = 0.8


class Running:
    """Somebody runs once faster than the limit for 0.4 s of windows, and stops below four fifths of it."""

    def __init__(self, above: float) -> None:
        self._above = above
        self._fast_since_s: dict[int, float] = {}
        self._running: set[int] = set()

    def observe(self, view: View) -> Facts:
        """Return how many are ``running``; who cannot be seen clearly keeps the last answer."""
        here = {track.id for track in view.people}
        self._running &= here
        self._fast_since_s = {name: at_s for name, at_s in self._fast_since_s.items() if name in here}
        for track in view.people:
            speed = track.pace.speed
            if view.is_seen(track) and speed is not None:
                self._judge(track.id, speed, view.now_s)
        return {"running": len(self._running)}

    def is_sure(self, view: View) -> bool:
        """Always: it takes no longer to see than a person takes to be believed."""
        del view
        return True

    def _judge(self, name: int, speed: float, now_s: float) -> None:
        if speed < STOP_SHARE * self._above:
            self._running.discard(name)
        if speed < self._above:
            self._fast_since_s.pop(name, None)
        elif now_s - self._fast_since_s.setdefault(name, now_s) >= ENTER_S:
            self._running.add(name)
