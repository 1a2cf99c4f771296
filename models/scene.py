"""From detections to facts of zones. Pure; time is an argument."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from models.detection import Box, Detection, Wearing
from models.geometry import inside
from models.options import ZoneOptions
from models.tracking import Track, Tracker
from models.vocabulary import Gear


@dataclass(frozen=True, slots=True)
class Count:
    """People, counted. A person who misses what a zone demands is counted once in each fact."""

    persons: int = 0
    missing: Mapping[Gear, int] = field(default_factory=dict)
    unknown_ppe: int = 0

    def as_dict(self) -> dict[str, int]:
        """Return the facts by name; equipment that nobody demands has none."""
        missing = {f"no_{gear}": count for gear, count in self.missing.items()}
        return {"persons": self.persons, **missing, "unknown_ppe": self.unknown_ppe}


@dataclass(frozen=True, slots=True)
class Seen:
    """A tracked person as the picture shows it; ``gear`` is what its zones demand, judged by votes."""

    box: Box
    in_zone: bool
    gear: Mapping[Gear, Wearing] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Judgement:
    """One picture's result: ``whole`` is the union of the zones, ``seen`` who stands in this very picture."""

    whole: Count
    zones: Mapping[str, Count]
    seen: Sequence[Seen]


class Scene:
    """Remembers people between pictures of one camera."""

    def __init__(self, zones: Mapping[str, ZoneOptions], strong_score: float) -> None:
        self._zones = zones
        self._tracker = Tracker(strong_score)

    def judge(self, detections: Sequence[Detection], width: int, height: int, now_s: float) -> Judgement:
        """Take up one picture of ``width`` x ``height`` pixels taken at ``now_s`` (monotonic)."""
        tracks = self._tracker.update(detections, now_s)
        for track in tracks:
            if track.seen_s == now_s and not track.jumped:
                self._place(track, width, height)
        people = [(track, self._zones_of(track)) for track in tracks if track.confirmed]
        counts = {
            name: _count([(track, {name} & where) for track, where in people], self._zones) for name in self._zones
        }
        shown = [self._show(track, where) for track, where in people if track.seen_s == now_s]
        return Judgement(_count(people, self._zones), counts, shown)

    @property
    def is_empty(self) -> bool:
        """Tell whether nobody is remembered, so that no vote is open."""
        return not self._tracker.tracks

    def is_watched(self, box: Box, width: int, height: int) -> bool:
        """Tell whether a person there stands in any zone, so that its equipment matters."""
        return any(inside(_feet(box, width, height), zone.polygon) for zone in self._zones.values())

    def _place(self, track: Track, width: int, height: int) -> None:
        feet = _feet(track.box, width, height)
        for name, zone in self._zones.items():
            track.zone(name).observe(inside(feet, zone.polygon))

    def _zones_of(self, track: Track) -> set[str]:
        return {name for name in self._zones if track.zone(name).inside}

    def _show(self, track: Track, where: set[str]) -> Seen:
        demand = _demand(where, self._zones)
        return Seen(track.box, bool(where), {gear: track.verdict(gear) for gear in demand})


def _feet(box: Box, width: int, height: int) -> tuple[float, float]:
    """Return the bottom centre as shares of the picture, just inside it."""
    return box.centre[0] / width, min(box.bottom / height, 0.999)


def _demand(where: set[str], zones: Mapping[str, ZoneOptions]) -> set[Gear]:
    return {gear for name in where for gear in zones[name].demand}


def _count(people: Sequence[tuple[Track, set[str]]], zones: Mapping[str, ZoneOptions]) -> Count:
    present = [(track, _demand(where, zones)) for track, where in people if where]
    missing = {gear: _missing(gear, present) for gear in sorted(_demand(set(zones), zones))}
    unknown = [track for track, demand in present if any(track.verdict(gear) is Wearing.UNKNOWN for gear in demand)]
    return Count(len(present), missing, len(unknown))


def _missing(gear: Gear, present: Sequence[tuple[Track, set[Gear]]]) -> int:
    return sum(gear in demand and track.verdict(gear) is Wearing.MISSING for track, demand in present)
