"""Loitering: how long people stay in a zone."""

from __future__ import annotations

from dataclasses import dataclass

from models.behaviours.base import Facts, View
from models.detection import Box
from models.geometry import distance

HEIR_S = 10.0
HEIR_LENGTHS = 1.0
"""Who turns up so soon and so near where somebody was lost is taken for the same person: doubt makes a stay longer."""


@dataclass(slots=True)
class _Stay:
    since_s: float
    last_s: float
    box: Box


class Stay:
    """Counts only watched time: blindness neither ends a stay nor makes it longer."""

    def __init__(self, loiter_after_s: float) -> None:
        self._after_s = loiter_after_s
        self._stays: dict[int, _Stay] = {}

    def observe(self, view: View) -> Facts:
        """Return ``longest_stay`` in seconds and how many are ``loitering``."""
        for track in view.people:
            stay = self._stays.get(track.id) or self._inherit(track.box, view)
            stay.last_s, stay.box = view.watched_s, track.box
            self._stays[track.id] = stay
        self._stays = {name: stay for name, stay in self._stays.items() if view.watched_s - stay.last_s <= HEIR_S}
        present = [view.watched_s - self._stays[track.id].since_s for track in view.people]
        loitering = sum(stay_s >= self._after_s for stay_s in present)
        return {"longest_stay": round(max(present, default=0.0), 1), "loitering": loitering}

    def is_sure(self, view: View) -> bool:
        """Only after ``loiter_after`` can it be said that nobody loiters."""
        return view.watched_s >= self._after_s

    def _inherit(self, box: Box, view: View) -> _Stay:
        gone = [name for name, stay in self._stays.items() if stay.last_s < view.watched_s or view.watched_s == 0]
        near = [name for name in gone if distance(self._stays[name].box, box) <= HEIR_LENGTHS]
        if not near:
            return _Stay(view.watched_s, view.watched_s, box)
        return self._stays.pop(min(near, key=lambda name: self._stays[name].since_s))
