"""Man down, and lying still."""

from __future__ import annotations

from models.behaviours.base import Facts, View
from models.geometry import iou
from models.vocabulary import Thing

_SAME_IOU = 0.2


class Lying:
    """Adds up who lies by its boxes and who lies by the model's own class, each once."""

    def __init__(self, still_after_s: float) -> None:
        self._after_s = still_after_s

    def observe(self, view: View) -> Facts:
        """Return how many have ``fallen`` (upright before) and how many are ``lying_still``."""
        down = [track for track in view.people if track.posture.lying]
        fallen = [track.box for track in down if track.posture.fell]
        named = view.things.get(Thing.FALLEN, ())
        others = [box for box in named if all(iou(box, known) < _SAME_IOU for known in fallen)]
        still = sum(track.posture.still_s(view.now_s) >= self._after_s for track in down)
        return {"fallen": len(fallen) + len(others), "lying_still": still}

    def is_sure(self, view: View) -> bool:
        """Only after ``still_after`` can it be said that nobody lies still."""
        return view.watched_s >= self._after_s
