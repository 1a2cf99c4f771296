"""Which pictures need no look, because nothing changed since the last one. Pure; time is an argument.

The detections of the last look are then judged again as those of the new picture, as the network would have given
them. Three things keep this from hiding anybody: whatever changes in the picture is looked at at once; every second
there is a look whatever the picture; and the gate shuts only after looks at full pace have agreed for two seconds, or
for ten where a person is in doubt, with no vote open.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from models.detection import Detection, Offer
from models.geometry import iou
from models.options import ZoneOptions
from models.vocabulary import Thing

Picture = npt.NDArray[np.uint8]

FORCED_S = 1.0
"""The longest time without a look. Less than tracking.LOST_S, so that no track is lost between two looks."""
CALM_S = 2.0
"""For so long looks must agree before one may be left out: what is found now and then is looked for at full pace."""
CHANGED = 10
"""Levels by which one colour of one cell must differ. A cell is the mean of 8 x 8 pixels of 640x360: the noise of a
sensor (8 levels) and of JPEG at quality 40 stays below, and a person 40 pixels high is wider than a cell."""
DOUBT, DOUBTED_S = 0.1, 10.0
"""Scores nearer than that to the one from which a person is believed may be on its other side in the next picture;
with such a one in sight looks must agree for so long."""
_CELLS = (80, 45)
_SAMPLED_PX = 640
_SAME_IOU = 0.7
_SEEN_BY_MOVING = frozenset((Thing.PERSON, Thing.VEHICLE))
_SLACK_S = 1e-6


def may_gate(offers: Offer, zones: Iterable[ZoneOptions]) -> bool:
    """Tell whether all that is looked for moves when it comes, and whether no fact is about what does not move.

    Smoke and small flames may come too faintly; who lies, or sits at a post, is found only now and then.
    """
    still = any(zone.post or zone.still_after is not None for zone in zones)
    return offers.things <= _SEEN_BY_MOVING and not still


def cells_of(picture: Picture) -> Picture:
    """Return a picture (BGR) as 45 x 80 cells of three colours."""
    step = max(1, picture.shape[1] // _SAMPLED_PX)
    return np.asarray(cv2.resize(picture[::step, ::step], _CELLS, interpolation=cv2.INTER_AREA), np.uint8)


@dataclass(frozen=True, slots=True)
class Look:
    """A look at a picture of ``size`` (height, width) taken at ``at_s`` (monotonic), and what was found in it."""

    cells: Picture
    size: tuple[int, int]
    at_s: float
    found: Sequence[Detection]


class Gate:
    """Ask it about each picture, and tell it of each look. ``sure`` is the score from which a person is believed."""

    def __init__(self, sure: float) -> None:
        self._sure = sure
        self._last: Look | None = None
        self._calm_since_s: float | None = None
        self._picture_s: float | None = None

    def stands_for(self, cells: Picture, size: tuple[int, int], now_s: float) -> Look | None:
        """Return the look that stands for the picture taken at ``now_s`` (monotonic), None when it must be looked at.

        It is compared with the last one looked at, not the last one taken: slow changes add up. Where the next
        picture would come too late for the forced look, this one is looked at.
        """
        last, before_s = self._last, self._picture_s
        self._picture_s = now_s
        if last is None or before_s is None or size != last.size or not self._is_calm(last):
            return None
        next_s = now_s + (now_s - before_s)
        if next_s - last.at_s > FORCED_S + _SLACK_S or cv2.absdiff(cells, last.cells).max() >= CHANGED:
            return None
        return last

    def looked(self, look: Look, calm: bool) -> None:
        """Take up a look; ``calm`` tells whether the scene waits for nothing: no vote is open, nobody is missed."""
        before, self._last, self._picture_s = self._last, look, look.at_s
        if before is None or not calm or not self._agree(before.found, look.found):
            self._calm_since_s = None
        elif self._calm_since_s is None:
            self._calm_since_s = look.at_s

    def forget(self) -> None:
        """Begin anew: the camera was blind, the model gave no answer, or other people are followed now."""
        self._last = self._calm_since_s = self._picture_s = None

    def _is_calm(self, last: Look) -> bool:
        doubts = (item.thing is Thing.PERSON and abs(item.score - self._sure) < DOUBT for item in last.found)
        needed_s = DOUBTED_S if any(doubts) else CALM_S
        return self._calm_since_s is not None and last.at_s - self._calm_since_s >= needed_s - _SLACK_S

    def _agree(self, before: Sequence[Detection], now: Sequence[Detection]) -> bool:
        """Tell whether two looks found the same; a person who is not believed counts for nothing."""
        left = [item for item in before if self._counts(item)]
        for item in now:
            if self._counts(item):
                same = next((other for other in left if _is_same(item, other)), None)
                if same is None:
                    return False
                left.remove(same)
        return not left

    def _counts(self, item: Detection) -> bool:
        return item.thing is not Thing.PERSON or item.score >= self._sure


def _is_same(a: Detection, b: Detection) -> bool:
    return a.thing is b.thing and a.gear == b.gear and iou(a.box, b.box) >= _SAME_IOU
