"""Whose equipment need not be judged in this very picture, since the last ones judged it alike. Pure.

What was said of such a person is said again, for less than 0.5 s: at 5 pictures a second a change is seen in the third
at the latest, and from then on every picture is judged until three in turn agree.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from models.detection import Box, Detection, Wearing
from models.geometry import iou
from models.vocabulary import Gear

REUSED_S = 0.45
"""An answer is given again while it is younger than that."""
AGREED = 3
"""So many answers in turn must agree, without an *unknown* among them."""
_SAME_IOU, _LEAD = 0.4, 0.25
"""By how much a box must overlap where somebody should be now, and by how much less where any other should be."""


@dataclass(frozen=True, slots=True)
class Known:
    """What was last said of a person, when it was judged (monotonic), and by how many answers in turn.

    ``raised_to`` is the score of somebody who is a person only because of what was said; 0 of all others.
    """

    gear: Mapping[Gear, Wearing]
    judged_s: float
    agreed: int = 1
    raised_to: float = 0.0

    @property
    def is_settled(self) -> bool:
        """Tell whether it may be said again."""
        return self.agreed >= AGREED and Wearing.UNKNOWN not in self.gear.values()


class Thrift:
    """For each look: ``expect``, then ``must_judge`` for each person found, ``complete``, and ``learn``.

    People go by the numbers that whoever follows them gave them.
    """

    def __init__(self) -> None:
        self._known: dict[int, Known] = {}
        self._where: Mapping[int, Box] = {}
        self._spared: dict[Box, Known] = {}
        self._judged: dict[Box, Detection | None] = {}

    def expect(self, where: Mapping[int, Box]) -> None:
        """Begin a look: everybody who is followed should be there."""
        self._where, self._spared, self._judged = where, {}, {}

    def must_judge(self, box: Box, now_s: float) -> bool:
        """Tell whether the person in ``box`` must be judged in the picture taken at ``now_s`` (monotonic)."""
        known = self._known.get(self._who(box))
        if known is None or not known.is_settled or now_s - known.judged_s >= REUSED_S:
            self._judged[box] = None
            return True
        self._spared[box] = known
        return False

    def complete(self, found: Sequence[Detection]) -> list[Detection]:
        """Return what was found, with what is said again."""
        self._judged = {item.box: item for item in found if item.box in self._judged}
        return [_said_again(item, self._spared[item.box]) if item.box in self._spared else item for item in found]

    def learn(self, seen: Mapping[int, Box], now_s: float) -> None:
        """Take up who is seen where in this picture."""
        judged = {number: item for number, box in seen.items() if (item := self._judged.get(box)) and item.gear}
        fresh = {number: self._renewed(number, item, now_s) for number, item in judged.items()}
        spared = {number: self._spared[box] for number, box in seen.items() if box in self._spared}
        kept = {number: known for number, known in spared.items() if known is self._known.get(number)}
        self._known = {**kept, **fresh}

    def _renewed(self, number: int, item: Detection, now_s: float) -> Known:
        before = self._known.get(number)
        agreed = before.agreed + 1 if before is not None and before.gear == item.gear else 1
        return Known(item.gear, now_s, agreed, item.score if item.raised else 0.0)

    def _who(self, box: Box) -> int:
        """Return who that is, -1 where it is nobody or may be another."""
        ranked = sorted(((iou(where, box), number) for number, where in self._where.items()), reverse=True)
        (best, number), (second, _) = [*ranked, (0.0, -1), (0.0, -1)][:2]
        return number if best >= _SAME_IOU and best - second >= _LEAD else -1


def _said_again(item: Detection, known: Known) -> Detection:
    """Return somebody found, with what was said before, and believed where that made a person of the box."""
    raised = item.score < known.raised_to
    score = max(item.score, known.raised_to)
    return replace(item, gear={**known.gear, **item.gear}, score=score, raised=raised)
