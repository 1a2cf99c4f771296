"""What every behaviour of a zone is given, and what it gives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from models.detection import Box
from models.handover import Remembers
from models.tracking import Track
from models.vocabulary import Thing


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
    ``perhaps`` are those whose feet this picture does not show, and who stand in the zone if they are long enough;
    ``things`` are confirmed, wherever they are; ``fallen`` are those of the zone whom the model calls so.
    """

    now_s: float
    watched_s: float
    people: Sequence[Track]
    here: Sequence[Track]
    tracks: Sequence[Track]
    things: Mapping[Thing, Sequence[Box]] = field(default_factory=dict)
    fallen: Sequence[Box] = ()
    perhaps: Sequence[Track] = ()

    def is_clear(self, track: Track) -> bool:
        """Tell whether this very picture shows all of the person: not hidden, not cut by the edge, not small."""
        return track.clear and track.seen_s == self.now_s


class Behaviour(Remembers, Protocol):
    """Decides purely in (its state, view); durations come from the view's times."""

    def observe(self, view: View) -> Facts:
        """Take up one picture and return the facts by name."""
