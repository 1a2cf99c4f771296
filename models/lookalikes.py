"""What looks a little like a person, and was there as it is when nobody was. Pure; time is an argument.

Somebody who walks past it and away would else be followed on it for ever. A box is no person's where nobody was told
of for a minute, as long as its pixels are those of that minute: whoever stands before it, or in its stead, changes
them. What was ever believed with these pixels is in doubt again.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from models.detection import Box
from models.gate import FORCED_S, Look
from models.geometry import iou, overlap
from models.scenery import SAME_IOU, Cells, shows_the_same
from models.vocabulary import Thing

LEARNT_S = 60.0
"""So long nobody keeps so still that no cell changes."""
_NEAR_IOU = 0.3
_MOST = 32


@dataclass(eq=False, slots=True)
class _Place:
    """A box that nobody was followed on for ``alone_s``; ``size`` is its picture's, ``cells`` are all of its cells."""

    box: Box
    size: tuple[int, int]
    cells: Cells
    alone_s: float = 0.0

    @property
    def is_learnt(self) -> bool:
        return self.alone_s >= LEARNT_S - 1e-6

    def is_as_it_was(self, box: Box, look: Look) -> bool:
        """Tell whether the pixels of both boxes, and about them, are those of before."""
        if look.size != self.size:
            return False
        both = Box(
            min(box.left, self.box.left),
            min(box.top, self.box.top),
            max(box.right, self.box.right),
            max(box.bottom, self.box.bottom),
        )
        return shows_the_same(both, self.cells, look.cells, look.size)

    def holds(self, box: Box, look: Look) -> bool:
        return iou(box, self.box) >= SAME_IOU and self.is_as_it_was(box, look)


class Lookalikes:
    """Ask it about each look before people are followed, and have it ``learn`` after that. ``sure`` as of the gate."""

    def __init__(self, sure: float) -> None:
        self._sure = sure
        self._places: Sequence[_Place] = ()
        self._last_s: float | None = None

    def among(self, look: Look) -> frozenset[Box]:
        """Return the boxes in doubt that are no persons."""
        learnt = [place for place in self._places if place.is_learnt]
        return frozenset(box for box in self._doubtful(look) if any(place.holds(box, look) for place in learnt))

    def learn(self, look: Look, followed: Collection[Box]) -> None:
        """Take up a look; ``followed`` is where people are, believed or not yet, who are followed."""
        step_s = 0.0 if self._last_s is None else min(max(0.0, look.at_s - self._last_s), FORCED_S)
        self._last_s = look.at_s
        kept = [place for place in self._places if not self._was_believed(place, look)]
        alone = [box for box in self._doubtful(look) if not any(overlap(box, other) for other in followed)]
        alike = [place for place in kept if any(place.holds(box, look) for box in alone)]
        for place in alike:
            place.alone_s += step_s
        fresh = [
            _Place(box, look.size, look.cells) for box in alone if not any(place.holds(box, look) for place in alike)
        ]
        newest = [*fresh, *alike, *(place for place in kept if place not in alike)]
        # Whoever passes by leaves many places that are never learnt; they drive out none that is.
        learnt, others = [[place for place in newest if place.is_learnt is is_learnt] for is_learnt in (True, False)]
        self._places = [*learnt[:_MOST], *others[:_MOST]]

    def _doubtful(self, look: Look) -> list[Box]:
        return [item.box for item in look.found if item.thing is Thing.PERSON and item.score < self._sure]

    def _was_believed(self, place: _Place, look: Look) -> bool:
        """Tell whether somebody is believed there now, though no pixel changed."""
        sure = [item.box for item in look.found if item.thing is Thing.PERSON and item.score >= self._sure]
        return any(iou(box, place.box) >= _NEAR_IOU and place.is_as_it_was(place.box, look) for box in sure)
