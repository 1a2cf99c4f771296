"""Man down, and lying still. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

from models.behaviours.base import Fact, Facts, View
from models.geometry import iou

_SAME_IOU = 0.2
LOST_S = 300.0


@dataclass(slots=True)
class LyingState:
    """``last_down_s`` is when each track was last seen to lie, in watched seconds."""

    last_down_s: dict[int, float] = field(default_factory=dict)


class Lying:
    """Adds up who lies by its boxes and who lies by the model's own class, each once."""

    def __init__(self, still_after_s: float) -> None:
        self._after_s = still_after_s
        self.state = LyingState()

    def observe(self, view: View) -> Facts:
        """Return how many have ``fallen`` (upright before) and how many are ``lying_still`` for the limit or longer.

        None of it is sure while somebody who does not lie is not seen clearly, and for ``LOST_S`` after somebody who
        lay was lost: detectors miss who lies, and nobody gets up unseen. Who lay before the camera looked may have
        fallen then, so that after a start no alarm clears.
        """
        down = [track for track in view.people if track.posture.lying]
        fallen = [track.box for track in down if track.posture.fell]
        others = [box for box in view.fallen if all(iou(box, known) < _SAME_IOU for known in fallen)]
        still = [track for track in down if track.posture.still_s >= self._after_s]
        doubtful = [track for track in view.people if not view.is_clear(track)]
        nobody_lost = self._is_nobody_lost(view)
        sure = nobody_lost and len(fallen) == len(down) and all(track in down for track in doubtful)
        enough = nobody_lost and view.watched_s >= self._after_s
        sure_still = enough and all(track in still for track in doubtful)
        return {"fallen": Fact(len(fallen) + len(others), sure), "lying_still": Fact(len(still), sure_still)}

    def _is_nobody_lost(self, view: View) -> bool:
        down = {track.id for track in view.people if track.posture.lying}
        up = {track.id for track in view.tracks} - down
        last_s = {**self.state.last_down_s, **dict.fromkeys(down, view.watched_s)}
        self.state.last_down_s = {
            name: at_s for name, at_s in last_s.items() if name not in up and view.watched_s - at_s <= LOST_S
        }
        return self.state.last_down_s.keys() <= down
