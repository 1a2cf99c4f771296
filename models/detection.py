"""What a model says of one picture, in named fields."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from models.vocabulary import Gear, Thing


class Wearing(StrEnum):
    """Whether a person wears a piece of equipment. Unknown is an answer of its own."""

    WORN = "worn"
    MISSING = "missing"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Box:
    """Pixels of the source picture, from its upper left corner."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def width(self) -> float:
        """In pixels."""
        return self.right - self.left

    @property
    def height(self) -> float:
        """In pixels."""
        return self.bottom - self.top

    @property
    def length(self) -> float:
        """The longer side in pixels: a person's height, whether it stands or lies."""
        return max(self.width, self.height)

    @property
    def area(self) -> float:
        """In square pixels; never negative."""
        return max(0.0, self.width) * max(0.0, self.height)

    @property
    def centre(self) -> tuple[float, float]:
        """x and y in pixels."""
        return (self.left + self.right) / 2, (self.top + self.bottom) / 2

    def moved(self, dx: float, dy: float) -> Box:
        """Return the same box elsewhere."""
        return Box(self.left + dx, self.top + dy, self.right + dx, self.bottom + dy)

    def clipped(self, width: int, height: int) -> Box:
        """Return the part that lies in a picture of this size."""
        return Box(
            min(max(self.left, 0.0), width),
            min(max(self.top, 0.0), height),
            min(max(self.right, 0.0), width),
            min(max(self.bottom, 0.0), height),
        )


@dataclass(frozen=True, slots=True)
class Person:
    """A person found; ``score`` is 0..1."""

    box: Box
    score: float


@dataclass(frozen=True, slots=True)
class Detection:
    """A person, with what the model says of its equipment; or another thing. ``score`` is 0..1.

    ``raised``: by itself the box scored less, and what is missing on it made a person of it.
    """

    box: Box
    score: float
    thing: Thing = Thing.PERSON
    gear: Mapping[Gear, Wearing] = field(default_factory=dict)
    raised: bool = False

    def wears(self, gear: Gear) -> Wearing:
        """Return whether it is worn; unknown where the model cannot tell."""
        return self.gear.get(gear, Wearing.UNKNOWN)


@dataclass(frozen=True, slots=True)
class Offer:
    """What a model can judge at all; never ask it for anything else."""

    gear: frozenset[Gear] = frozenset()
    things: frozenset[Thing] = frozenset((Thing.PERSON,))
