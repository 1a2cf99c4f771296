"""From detections to facts of zones. Pure; time is an argument."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from models.behaviours import behaviours_of
from models.behaviours.base import Fact, View
from models.behaviours.line import Line
from models.behaviours.things import Things
from models.detection import Box, Detection, Wearing
from models.geometry import inside, passes
from models.handover import Remembers, plain, restored
from models.places import LineOptions, ZoneOptions
from models.settling import why_unsettled
from models.tracking import Track, Tracker
from models.vocabulary import Gear, Thing, fact_of
from models.voting import ENTER_S, Ballot


@dataclass(frozen=True, slots=True)
class Count:
    """People, counted. A person who misses what a zone demands is counted once in each fact."""

    persons: int = 0
    missing: Mapping[Gear, int] = field(default_factory=dict)
    unknown_ppe: int = 0

    def as_dict(self) -> dict[str, float]:
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
    """One picture's result: ``whole`` is the union of the zones, ``seen`` who stands in this very picture.

    ``more`` holds the facts of behaviours by name, ``place.fact``. Of the facts in ``unsure`` the picture may hide
    some: a person who cannot be judged may be bare. ``unsettled`` says why none counts yet; empty when they do.
    """

    whole: Count
    zones: Mapping[str, Count]
    seen: Sequence[Seen]
    more: Mapping[str, float] = field(default_factory=dict)
    unsure: Sequence[str] = ()
    unsettled: str = ""


class Scene:
    """Remembers people between pictures of one camera."""

    def __init__(
        self,
        zones: Mapping[str, ZoneOptions],
        strong_score: float,
        lines: Mapping[str, LineOptions] = MappingProxyType({}),
        things: Sequence[Thing] = (),
    ) -> None:
        self._zones = zones
        self._lines = {name: Line(line) for name, line in lines.items()}
        self._counted, self._things = things, Things()
        self._behaviours = {name: behaviours_of(zone) for name, zone in zones.items() if name}
        self._tracker, self._sure = Tracker(strong_score), strong_score
        self._vague: frozenset[Box] = frozenset()

    def judge(self, detections: Sequence[Detection], width: int, height: int, now_s: float) -> Judgement:
        """Take up one picture of ``width`` x ``height`` pixels taken at ``now_s`` (monotonic)."""
        persons = [found for found in detections if found.thing is Thing.PERSON]
        self._vague = frozenset(found.box for found in persons if found.score < self._sure)
        tracks = self._tracker.update(persons, now_s)
        clear = [track for track in tracks if track.seen_s == now_s and not track.jumped]
        for track in clear:
            self._place(track, width, height)
        for track in tracks:
            if track.seen_s == now_s:
                track.watch(width, height)
        things = self._things.update(detections, self._tracker.rhythm.watched_s)
        people = [(track, self._zones_of(track)) for track in tracks if track.confirmed]
        counts = {
            name: _count([(track, {name} & where) for track, where in people], self._zones) for name in self._zones
        }
        shown = [self._show(track, where) for track, where in people if track.seen_s == now_s]
        facts = {f"{name}.crossed": line.observe(tracks, width, height, now_s) for name, line in self._lines.items()}
        facts.update(self._count_things(things, width, height))
        facts.update(self._behave(people, clear, things, (width, height), now_s))
        more = {name: fact.value for name, fact in facts.items()}
        unsure = [name for name, fact in facts.items() if not fact.sure or not self._is_settled(name)]
        unsure += dict.fromkeys((*self._unjudged(people), *self._doubtful(people)))
        unsettled = why_unsettled(self._tracker.rhythm)
        return Judgement(_count(people, self._zones), counts, shown, more, unsure, unsettled)

    def hand_over(self) -> dict[str, Any]:
        """Return all that it remembers, as JSON data."""
        return {name: plain(part.state) for name, part in self._parts().items()}

    def take_over(self, memory: Mapping[str, Any]) -> None:
        """Go on where another scene of this camera ended, in place of its own memory. Raises ValueError, unchanged."""
        parts = self._parts()
        if not isinstance(memory, Mapping) or memory.keys() != parts.keys():
            told = sorted(memory) if isinstance(memory, Mapping) else memory
            raise ValueError(f"the memory is of another camera or version: {told!r:.200} is not {sorted(parts)}")
        states = {name: restored(type(part.state), memory[name], name) for name, part in parts.items()}
        for name, part in parts.items():
            part.state = states[name]

    def _parts(self) -> dict[str, Remembers]:
        """Return everything that has a memory, by name."""
        behaviours = {
            f"zone {name}: {type(behaviour).__name__.lower()}": behaviour
            for name, found in self._behaviours.items()
            for behaviour in found
        }
        lines = {f"line {name}": line for name, line in self._lines.items()}
        return {"people": self._tracker, "things": self._things, **lines, **behaviours}

    def expected(self, now_s: float) -> dict[int, Box]:
        """Return where everybody whom it follows should be at ``now_s`` (monotonic), by number."""
        return {track.id: track.expected(now_s) for track in self._tracker.tracks}

    def seen(self, now_s: float) -> dict[int, Box]:
        """Return where the picture taken at ``now_s`` shows those whom it follows, by number."""
        return {track.id: track.box for track in self._tracker.tracks if track.seen_s == now_s}

    @property
    def is_calm(self) -> bool:
        """Tell whether the newest picture showed everybody whom it follows, surely, and no vote is open."""
        return self.is_steady and not self.doubted

    @property
    def is_steady(self) -> bool:
        """Tell whether the newest picture showed everybody whom it follows, and nobody's votes differ."""
        return self._things.are_agreed and all(self._is_steady(track) for track in self._tracker.tracks)

    @property
    def doubted(self) -> frozenset[Box]:
        """Return where people are who are followed in doubt, or of whom it is not known what they wear."""
        return frozenset(
            track.box
            for track in self._tracker.tracks
            if track.box in self._vague or not all(ballot and ballot.is_agreed for ballot in self._ballots(track))
        )

    def is_watched(self, box: Box, width: int, height: int) -> bool:
        """Tell whether a person there stands in any zone, so that its equipment matters."""
        return any(inside(_feet(box, width, height), zone.polygon) for zone in self._zones.values())

    def _is_settled(self, fact: str) -> bool:
        """Tell whether enough was seen since the last blindness to say that something is not so.

        Until people and things were voted on, none counts yet, and who crossed a line meanwhile was not seen.
        """
        line = self._lines.get(fact.removesuffix(".crossed"))
        return self._tracker.rhythm.seeing_s >= (line.within_s if line else ENTER_S)

    def _unjudged(self, people: Sequence[tuple[Track, set[str]]]) -> Iterator[str]:
        """Yield the facts, by place, of equipment that somebody present may miss for all that is known."""
        for name, zone in self._zones.items():
            here = [track for track, where in people if name in where]
            for gear in sorted(zone.demand):
                if any(track.verdict(gear) is Wearing.UNKNOWN for track in here):
                    yield f"no_{gear}"
                    yield f"{name}.no_{gear}"

    def _doubtful(self, people: Sequence[tuple[Track, set[str]]]) -> Iterator[str]:
        """Yield the facts, by place, that count somebody who may be a thing: a certain number would tell too much."""
        for name, zone in self._zones.items():
            for track in (track for track, where in people if name in where and track.is_doubted):
                missing = [gear for gear in sorted(zone.demand) if track.verdict(gear) is Wearing.MISSING]
                for fact in ("persons", *(f"no_{gear}" for gear in missing)):
                    yield fact
                    yield f"{name}.{fact}"

    def _count_things(self, things: Mapping[Thing, Sequence[Box]], width: int, height: int) -> dict[str, Fact]:
        """Count in the whole picture, and in each zone."""
        facts: dict[str, Fact] = {}
        for thing in self._counted:
            boxes, name = things.get(thing, ()), fact_of(thing)
            facts[name] = Fact(len(boxes))
            for zone, options in self._zones.items():
                if zone:
                    here = [box for box in boxes if _touches(box, options, width, height)]
                    facts[f"{zone}.{name}"] = Fact(len(here))
        return facts

    def _behave(
        self,
        people: Sequence[tuple[Track, set[str]]],
        clear: Sequence[Track],
        things: Mapping[Thing, Sequence[Box]],
        size: tuple[int, int],
        now_s: float,
    ) -> dict[str, Fact]:
        facts: dict[str, Fact] = {}
        for name, behaviours in self._behaviours.items():
            inside_now = [
                track
                for track in clear
                if not track.hidden and inside(_feet(track.box, *size), self._zones[name].polygon)
            ]
            present = [track for track, where in people if name in where]
            fallen = [box for box in things.get(Thing.FALLEN, ()) if _touches(box, self._zones[name], *size)]
            perhaps = [track for track in clear if _may_stand(track, self._zones[name], *size)]
            times = (now_s, self._tracker.rhythm.watched_s)
            view = View(*times, present, inside_now, self._tracker.tracks, things, fallen, perhaps)
            for behaviour in behaviours:
                facts.update({f"{name}.{fact}": value for fact, value in behaviour.observe(view).items()})
        return facts

    def _place(self, track: Track, width: int, height: int) -> None:
        feet = _feet(track.box, width, height)
        for name, zone in self._zones.items():
            track.zone(name).observe(inside(feet, zone.polygon))

    def _is_steady(self, track: Track) -> bool:
        """Tell whether it is seen, and whatever was said of it now agrees with what was said before.

        Who is about to be confirmed is waited for; who is seen in doubt only is not, and stands in ``doubted``.
        """
        waits = not track.confirmed and track.box not in self._vague
        if waits or track.jumped or track.hidden or track.seen_s != self._tracker.rhythm.last_s:
            return False
        voted = [each for each in self._ballots(track) if each and each.votes and each.votes[-1][0] == track.seen_s]
        return all(ballot.is_agreed for ballot in voted) and all(place.is_agreed for place in track.zones.values())

    def _ballots(self, track: Track) -> list[Ballot | None]:
        """Return the votes on each piece that it must wear where it is."""
        return [track.ballots.get(gear) for gear in _demand(self._zones_of(track), self._zones)]

    def _zones_of(self, track: Track) -> set[str]:
        return {name for name in self._zones if track.zone(name).inside}

    def _show(self, track: Track, where: set[str]) -> Seen:
        demand = _demand(where, self._zones)
        return Seen(track.box, bool(where), {gear: track.verdict(gear) for gear in demand})


def _feet(box: Box, width: int, height: int) -> tuple[float, float]:
    """Return the bottom centre as shares of the picture, just inside it."""
    return box.centre[0] / width, min(box.bottom / height, 0.999)


def _may_stand(track: Track, zone: ZoneOptions, width: int, height: int) -> bool:
    """Tell whether feet that something hides may be in a zone."""
    x, y = _feet(track.box, width, height)
    hidden = track.hidden_px / height
    return hidden > 0 and not inside((x, y), zone.polygon) and passes(x, y, y + hidden, zone.polygon)


def _touches(box: Box, zone: ZoneOptions, width: int, height: int) -> bool:
    """Tell whether a thing stands in a zone, or its middle is over it: flames hang, and smoke rises."""
    middle = (box.centre[0] / width, box.centre[1] / height)
    return inside(_feet(box, width, height), zone.polygon) or inside(middle, zone.polygon)


def _demand(where: set[str], zones: Mapping[str, ZoneOptions]) -> set[Gear]:
    return {gear for name in where for gear in zones[name].demand}


def _count(people: Sequence[tuple[Track, set[str]]], zones: Mapping[str, ZoneOptions]) -> Count:
    present = [(track, _demand(where, zones)) for track, where in people if where]
    missing = {gear: _missing(gear, present) for gear in sorted(_demand(set(zones), zones))}
    unknown = [track for track, demand in present if any(track.verdict(gear) is Wearing.UNKNOWN for gear in demand)]
    return Count(len(present), missing, len(unknown))


def _missing(gear: Gear, present: Sequence[tuple[Track, set[Gear]]]) -> int:
    return sum(gear in demand and track.verdict(gear) is Wearing.MISSING for track, demand in present)
