"""Whose equipment need not be judged in this very picture, since the last ones judged it alike. Pure.

What was said of such a person is said again, for less than 0.5 s: at 5 pictures a second a change is seen in the third
at the latest, and from then on every picture is judged until three in turn agree.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from models.detection import Box, Detection, Wearing
from models.geometry import iou
from models.vocabulary import Gear

REUSED_S = 0.45
"""An answer is given again while it is younger than that."""
AGREED = 3
"""So many answers in turn must agree, without an *unknown* among them."""
_SAME_IOU, _LEAD = 0.4, 0.25
"""The overlap with whoever stood there, and by how much less any other may overlap."""


@dataclass(frozen=True, slots=True)
class Known:
    """What was last said of a person: in which box, when it was judged (monotonic), by how many answers in turn."""

    box: Box
    gear: Mapping[Gear, Wearing]
    judged_s: float
    agreed: int = 1

    @property
    def is_settled(self) -> bool:
        """Tell whether it may be said again."""
        return self.agreed >= AGREED and Wearing.UNKNOWN not in self.gear.values()


class Thrift:
    """Asked about each person of a picture by ``must_judge``, then told of the picture by ``complete``."""

    def __init__(self) -> None:
        self._known: list[Known] = []
        self._spared: dict[Box, Known] = {}
        self._asked: dict[Box, Known | None] = {}

    def must_judge(self, box: Box, now_s: float) -> bool:
        """Tell whether the person in ``box`` must be judged in the picture taken at ``now_s`` (monotonic)."""
        known = self._same(box)
        if known is None or not known.is_settled or now_s - known.judged_s >= REUSED_S:
            self._asked[box] = known
            return True
        self._known.remove(known)  # it stands for one person only
        self._spared[box] = known
        return False

    def complete(self, found: Iterable[Detection], now_s: float) -> list[Detection]:
        """Return what was found, with what is said again; and remember what was said of whom."""
        told = list(self._told(found))
        self._known = [known for item in told if (known := self._learn(item, now_s)) is not None]
        self._spared, self._asked = {}, {}
        return told

    def _told(self, found: Iterable[Detection]) -> Iterator[Detection]:
        for item in found:
            known = self._spared.get(item.box)
            yield item if known is None else replace(item, gear={**known.gear, **item.gear})

    def _learn(self, item: Detection, now_s: float) -> Known | None:
        if item.box in self._spared:
            return replace(self._spared[item.box], box=item.box)
        if item.box not in self._asked or not item.gear:
            return None
        before = self._asked[item.box]
        agreed = before.agreed + 1 if before is not None and before.gear == item.gear else 1
        return Known(item.box, item.gear, now_s, agreed)

    def _same(self, box: Box) -> Known | None:
        """Return who stood there in the picture before; None where it may have been another."""
        ranked = sorted(self._known, key=lambda known: -iou(known.box, box))
        overlaps = [*(iou(known.box, box) for known in ranked[:2]), 0.0, 0.0]
        return ranked[0] if overlaps[0] >= _SAME_IOU and overlaps[0] - overlaps[1] >= _LEAD else None
