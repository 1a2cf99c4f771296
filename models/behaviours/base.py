"""What every behaviour of a zone is given, and what it gives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from models.detection import Box
from models.tracking import Track
from models.vocabulary import Thing

Facts = Mapping[str, float]
"""Facts by name: counts of people, seconds, shares."""


@dataclass(frozen=True, slots=True)
class View:
    """One picture of one zone.

    ``now_s`` is when it was taken (monotonic), ``watched_s`` how long was really watched so far: it stands still
    while the camera is blind. ``people`` are confirmed and stand in the zone, or did when they were last seen;
    ``things`` are confirmed wherever they are. ``area`` is the zone's in square pixels.
    """

    now_s: float
    watched_s: float
    people: Sequence[Track]
    things: Mapping[Thing, Sequence[Box]]
    area: float

    def is_seen(self, track: Track) -> bool:
        """Tell whether this very picture shows the person clearly enough to say where it is."""
        return track.seen_s == self.now_s and not track.jumped and not track.hidden


class Behaviour(Protocol):
    """Decides purely in (what it remembers, view); durations come from the view's times."""

    def observe(self, view: View) -> Facts:
        """Take up one picture and return the facts."""

    def is_sure(self, view: View) -> bool:
        """Tell whether it was watched for long enough: before that, a fact may raise an alarm and clears none."""
