"""What every behaviour of a zone is given, and what it gives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from models.tracking import Track


class Fact(NamedTuple):
    """A count or a duration in seconds. One that is not ``sure`` may raise an alarm and clears none."""

    value: float
    sure: bool = True


Facts = Mapping[str, Fact]


@dataclass(frozen=True, slots=True)
class View:
    """One picture of one zone.

    ``now_s`` is when it was taken (monotonic), ``watched_s`` how long was really watched so far: it stands still
    while the camera is blind. ``people`` are confirmed and stand in the zone, or did when they were last seen;
    ``here`` are those, believed or not, whose feet this very picture shows in the zone; ``tracks`` is everybody.
    """

    now_s: float
    watched_s: float
    people: Sequence[Track]
    here: Sequence[Track]
    tracks: Sequence[Track]


class Behaviour(Protocol):
    """Decides purely in (what it remembers, view); durations come from the view's times."""

    def observe(self, view: View) -> Facts:
        """Take up one picture and return the facts by name."""
