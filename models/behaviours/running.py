"""Running. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

from models.behaviours.base import Fact, Facts, View

STOP_SHARE = 0.8


@dataclass(slots=True)
class RunningState:
    """The tracks of those who run."""

    running: list[int] = field(default_factory=list)


class Running:
    """Somebody runs from the limit on, in body heights per second over a second or more, until below four fifths."""

    def __init__(self, above: float) -> None:
        self._above = above
        self.state = RunningState()

    def observe(self, view: View) -> Facts:
        """Return how many are ``running``; who is not seen clearly, or for long enough, keeps the answer, unsure."""
        running = {track.id for track in view.people}.intersection(self.state.running)
        unsure = False
        for track in view.people:
            speed = track.pace.speed if view.is_clear(track) else None
            if speed is None:
                unsure = unsure or track.id not in running
            elif speed >= self._above:
                running.add(track.id)
            elif speed < STOP_SHARE * self._above:
                running.discard(track.id)
        self.state.running = sorted(running)
        return {"running": Fact(len(running), not unsure)}
