"""Loitering: how long people stay in a zone. Pure; time is an argument."""

from __future__ import annotations

from dataclasses import dataclass, field

from models.behaviours.base import Fact, Facts, View
from models.detection import Box
from models.geometry import distance
from models.tracking import Track

HEIR_S = 10.0
HEIR_LENGTHS = 1.0
"""Who turns up so soon and so near where somebody was lost is taken for the same person: doubt makes a stay longer."""


@dataclass(slots=True)
class Visit:
    """Since when somebody is in the zone and when that was last seen, in watched seconds; ``box`` is where.

    ``own_s`` is since when for sure: ``since_s`` may be of somebody else who was lost there.
    """

    since_s: float
    last_s: float
    box: Box
    own_s: float
    believed: bool = False


@dataclass(slots=True)
class StayState:
    """Who is in the zone, by track."""

    visits: dict[int, Visit] = field(default_factory=dict)


class Stay:
    """Counts only watched time: blindness neither ends a stay nor makes it longer."""

    def __init__(self, loiter_after_s: float) -> None:
        self._after_s = loiter_after_s
        self.state = StayState()

    def observe(self, view: View) -> Facts:
        """Return ``longest_stay`` in seconds of those who are there, and how many of them are ``loitering``."""
        for track in view.here:
            visit = self.state.visits.get(track.id) or self._begin(track, view)
            visit.last_s, visit.box = view.watched_s, track.box
            visit.believed = visit.believed or track.confirmed
            self.state.visits[track.id] = visit
        self._forget(view)
        inside = {track.id for track in view.people}
        believed = {name: visit for name, visit in self.state.visits.items() if visit.believed}
        here = [visit for name, visit in believed.items() if name in inside]
        stays = [visit.last_s - visit.since_s for visit in here]
        loitering = sum(stay_s >= self._after_s for stay_s in stays)
        surely = sum(visit.last_s - visit.own_s >= self._after_s for visit in here)
        # Who is not seen may still be there, and before the time has passed, somebody may be there since before.
        may_loiter = sum(view.watched_s - visit.since_s >= self._after_s for visit in believed.values())
        sure = view.watched_s >= self._after_s and surely == loitering == may_loiter
        return {"longest_stay": Fact(round(max(stays, default=0.0), 1), sure), "loitering": Fact(loitering, sure)}

    def _begin(self, track: Track, view: View) -> Visit:
        """Return a new visit, since when whoever was lost there a moment ago came; a ghost was nobody."""
        seen = {other.id for other in view.tracks if other.seen_s == view.now_s}
        near = [
            name
            for name, visit in self.state.visits.items()
            if visit.believed and name not in seen and distance(visit.box, track.box) <= HEIR_LENGTHS
        ]
        since_s = view.watched_s
        if near:
            since_s = self.state.visits.pop(min(near, key=lambda name: self.state.visits[name].since_s)).since_s
        return Visit(since_s, view.watched_s, track.box, own_s=view.watched_s)

    def _forget(self, view: View) -> None:
        """Forget whom the picture shows elsewhere, and who was lost too long ago."""
        inside = {track.id for track in (*view.people, *view.here)}
        left = {track.id for track in view.tracks if track.seen_s == view.now_s and track.id not in inside}
        self.state.visits = {
            name: visit
            for name, visit in self.state.visits.items()
            if name in inside or (name not in left and view.watched_s - visit.last_s <= HEIR_S)
        }
