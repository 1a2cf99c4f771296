"""Which pictures need no look, because nothing changed since the last one. Pure; time is an argument.

The detections of the last look are then judged again as those of the new picture, as the network would have given
them. Three things keep this from hiding anybody: whatever changes in the picture is looked at at once; every second
there is a look whatever the picture; and the gate shuts only after looks at full pace have agreed for two seconds, or
anything in doubt (whether somebody is there, or what a person wears) was looked at for ten. That is scenery then: it is
no doubt any more as long as its pixels stay as they were.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from models.detection import Box, Detection, Offer
from models.geometry import iou
from models.places import ZoneOptions
from models.scenery import CHANGED as CHANGED
from models.scenery import SAME_IOU, Scenery, is_changed
from models.vocabulary import Thing

Picture = npt.NDArray[np.uint8]

FORCED_S = 1.0
"""The longest time without a look. Less than tracking.LOST_S, so that no track is lost between two looks."""
CALM_S = 2.0
"""For so long looks must agree before one may be left out: what is found now and then is looked for at full pace."""
DOUBT = 0.1
"""Scores nearer than that to the one from which a person is believed may be on its other side in the next picture."""
_CELLS = (80, 45)
_SAMPLED_PX = 640
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
    """A look at a picture of ``size`` (height, width) taken at ``at_s`` (monotonic), and what was found in it.

    ``parts`` are boxes in doubt that are parts of the place and nobody: nobody is followed on them.
    """

    cells: Picture
    size: tuple[int, int]
    at_s: float
    found: Sequence[Detection]
    parts: frozenset[Box] = frozenset()

    @property
    def present(self) -> Sequence[Detection]:
        """What was found, without the parts of the place."""
        return [item for item in self.found if item.box not in self.parts]


class Gate:
    """Ask it about each picture, and tell it of each look. ``sure`` is the score from which a person is believed."""

    def __init__(self, sure: float) -> None:
        self._sure = sure
        self.forget()

    def forget(self) -> None:
        """Begin anew: the camera was blind, the model gave no answer, or other people are followed now."""
        self._last: Look | None = None
        self._picture_s: float | None = None
        self._counted: Sequence[Detection] = ()
        self._calm_since_s: float | None = None
        self._is_strange = self._left_out = False
        self._scenery = Scenery()

    def stands_for(self, cells: Picture, size: tuple[int, int], now_s: float) -> Look | None:
        """Return the look that stands for the picture taken at ``now_s`` (monotonic), None when it must be looked at.

        It is compared with the last one looked at, not the last one taken: slow changes add up. Where the next
        picture would come too late for the forced look, this one is looked at.
        """
        last, before_s = self._last, self._picture_s
        self._picture_s = now_s
        if last is None or before_s is None or size != last.size or not self._is_calm(last.at_s):
            return None
        next_s = now_s + (now_s - before_s)
        if next_s - last.at_s > FORCED_S + _SLACK_S or is_changed(last.cells, cells):
            return None
        self._left_out = True
        return last

    def looked(self, look: Look, calm: bool, doubted: Collection[Box] = ()) -> None:
        """Take up a look.

        ``calm`` tells whether the scene waits for nothing: no vote is open, nobody is missed. It follows people in
        ``doubted`` who are not believed by this look, or of whom it does not know what they wear.
        """
        counted = [item for item in look.found if self._counts(item) or item.box in doubted]
        doubts = [item for item in look.found if self._is_doubtful(item) or item.box in doubted]
        if self._last is None or not calm or not _agree(self._counted, counted):
            self._calm_since_s = None
        elif self._calm_since_s is None:
            self._calm_since_s = look.at_s
        step_s = 0.0 if self._last is None or self._left_out else look.at_s - self._last.at_s
        self._is_strange = bool(self._scenery.strange(look.found, doubts, look.cells, look.size, step_s))
        self._last, self._picture_s, self._counted, self._left_out = look, look.at_s, counted, False

    def _is_calm(self, at_s: float) -> bool:
        """Tell whether the looks until ``at_s`` agreed for long enough, and nothing in doubt is new."""
        since_s = self._calm_since_s
        return since_s is not None and at_s - since_s >= CALM_S - _SLACK_S and not self._is_strange

    def _is_doubtful(self, item: Detection) -> bool:
        return item.thing is Thing.PERSON and abs(item.score - self._sure) < DOUBT

    def _counts(self, item: Detection) -> bool:
        """Tell whether it is believed: a person who is not counts for nothing, but for one who is followed."""
        return item.thing is not Thing.PERSON or item.score >= self._sure


def _agree(before: Sequence[Detection], now: Sequence[Detection]) -> bool:
    """Tell whether two looks found the same."""
    left = list(before)
    for item in now:
        same = next((other for other in left if _is_there(item, other) and item.gear == other.gear), None)
        if same is None:
            return False
        left.remove(same)
    return not left


def _is_there(a: Detection, b: Detection) -> bool:
    return a.thing is b.thing and iou(a.box, b.box) >= SAME_IOU
