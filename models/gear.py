"""From the boxes of a one-stage model to persons with their equipment: a helmet belongs to whoever's head it is on.

Pure. A head without a person makes a person; two boxes that contradict each other make an unknown.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from models.detection import Box, Detection, Wearing
from models.geometry import iou, overlap
from models.vocabulary import Gear, Meaning, Thing

ON_HEAD = frozenset((Gear.HELMET, Gear.MASK, Gear.GOGGLES))
_ON_TRUNK = frozenset((Gear.VEST, Gear.HARNESS))
_INSIDE = 0.6
_HEAD_REACH, _TRUNK_REACH = 0.45, 0.8
_HEADS_HIGH, _HEADS_WIDE = 7.0, 2.5
_TRUNKS_HIGH, _TRUNKS_WIDE, _TRUNKS_ABOVE = 2.7, 1.3, 0.6
_CLEARLY = 0.2
_SAME_HEAD = 0.4


@dataclass(frozen=True, slots=True)
class Found:
    """A box of a detector and what its class means; ``score`` is 0..1."""

    box: Box
    score: float
    meaning: Meaning


@dataclass(slots=True)
class _Claim:
    """The surest box of each kind that says something of one piece of one person's equipment."""

    worn: float = 0.0
    missing: float = 0.0

    def wearing(self) -> Wearing:
        """Return what holds; unknown while neither is clearly surer."""
        if self.worn and self.missing and abs(self.worn - self.missing) < _CLEARLY:
            return Wearing.UNKNOWN
        return Wearing.WORN if self.worn > self.missing else Wearing.MISSING


def fold(found: Sequence[Found], judged: frozenset[Gear]) -> list[Detection]:
    """Return one detection per person and thing; boxes of equipment outside ``judged`` are dropped."""
    things = [item for item in found if item.meaning.thing not in (None, Thing.PERSON)]
    persons = [Detection(item.box, item.score) for item in found if item.meaning.thing is Thing.PERSON]
    pieces = [item for item in found if item.meaning.gear in judged]
    owners = [(_owner(piece, persons), piece) for piece in pieces]
    persons += _persons_of([piece for owner, piece in owners if owner is None])
    claims: dict[int, dict[Gear, _Claim]] = {}
    for owner, piece in owners:
        number = owner if owner is not None else _owner(piece, persons)
        if number is not None and piece.meaning.gear is not None:
            _add(claims.setdefault(number, {}).setdefault(piece.meaning.gear, _Claim()), piece)
    return [
        *(replace(person, gear=_worn(claims.get(number, {}))) for number, person in enumerate(persons)),
        *(Detection(item.box, item.score, item.meaning.thing) for item in things if item.meaning.thing),
    ]


def _worn(claims: dict[Gear, _Claim]) -> dict[Gear, Wearing]:
    return {gear: claim.wearing() for gear, claim in claims.items()}


def _add(claim: _Claim, piece: Found) -> None:
    if piece.meaning.worn:
        claim.worn = max(claim.worn, piece.score)
    else:
        claim.missing = max(claim.missing, piece.score)


def _owner(piece: Found, persons: Sequence[Detection]) -> int | None:
    """Return whose it is: of those whose box holds it where it belongs, the one whom it fits best."""
    fitting = [
        (_misfit(piece, person.box), number) for number, person in enumerate(persons) if _holds(piece, person.box)
    ]
    return min(fitting)[1] if fitting else None


def _holds(piece: Found, person: Box) -> bool:
    box, gear = piece.box, piece.meaning.gear
    # Person boxes often begin at the brow: what stands above by a head's height still belongs to them.
    reach = Box(person.left, person.top - box.height, person.right, person.bottom)
    if overlap(box, reach) < _INSIDE * box.area or box.area > person.area:
        return False
    depth = (box.centre[1] - person.top) / max(person.height, 1.0)
    if gear in ON_HEAD:
        return depth <= _HEAD_REACH
    return gear not in _ON_TRUNK or depth <= _TRUNK_REACH


def _misfit(piece: Found, person: Box) -> float:
    """Return how far it is from where it is worn, in widths of the person."""
    gear = piece.meaning.gear
    ideal = person.top if gear in ON_HEAD else person.top + 0.4 * person.height
    aside = abs(piece.box.centre[0] - person.centre[0])
    at = piece.box.top if gear in ON_HEAD else piece.box.centre[1]
    return (aside + abs(at - ideal)) / max(person.width, 1.0)


def _persons_of(pieces: Iterable[Found]) -> list[Detection]:
    """Make a person of each head that has none, and of each trunk that none of those has."""
    made: list[Detection] = []
    heads: list[Box] = []
    for piece in sorted(pieces, key=lambda item: (item.meaning.gear not in ON_HEAD, -item.score)):
        if piece.meaning.gear in ON_HEAD and not any(iou(piece.box, head) > _SAME_HEAD for head in heads):
            heads.append(piece.box)
            made.append(Detection(_below_head(piece.box), piece.score))
        elif piece.meaning.gear in _ON_TRUNK and _owner(piece, made) is None:
            made.append(Detection(_around_trunk(piece.box), piece.score))
    return made


def _below_head(head: Box) -> Box:
    x, half = head.centre[0], _HEADS_WIDE * head.width / 2
    return Box(x - half, head.top, x + half, head.top + _HEADS_HIGH * head.height)


def _around_trunk(trunk: Box) -> Box:
    x, half = trunk.centre[0], _TRUNKS_WIDE * trunk.width / 2
    top = trunk.top - _TRUNKS_ABOVE * trunk.height
    return Box(x - half, top, x + half, top + _TRUNKS_HIGH * trunk.height)
