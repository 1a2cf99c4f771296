"""Things that are no persons: followed simply, and believed by votes over seconds. Pure; time is an argument."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from models.detection import Box, Detection
from models.geometry import distance, iou
from models.vocabulary import Thing
from models.voting import ENTER_S, ENTER_SHARE, ENTER_VOTES, LEAVE_S, LEAVE_SHARE

_SAME_IOU, _NEAR_LENGTHS = 0.2, 0.5


@dataclass(eq=False, slots=True)
class ThingTrack:
    """One thing; ``votes`` tell of each picture of the last seconds when it was (watched) and whether it showed it.

    It is there once at least 3 pictures, and 60 % of those within 2 s, show it, and gone once fewer than 30 %
    within 3 s do. Where pictures come too slowly for that, the last three are asked.
    """

    box: Box
    confirmed: bool = False
    votes: list[tuple[float, bool]] = field(default_factory=list)

    def vote(self, box: Box | None, watched_s: float) -> None:
        """Take up a picture that shows it at ``box``, or does not show it (None)."""
        self.box = box or self.box
        self.votes.append((watched_s, box is not None))
        self.votes = self._last(LEAVE_S, watched_s)
        recent = self._last(ENTER_S, watched_s)
        if sum(seen for _, seen in recent) >= ENTER_VOTES and _share(recent) >= ENTER_SHARE:
            self.confirmed = True
        elif len(self.votes) >= ENTER_VOTES and _share(self.votes) < LEAVE_SHARE:
            self.confirmed = False

    @property
    def is_gone(self) -> bool:
        """Tell whether the last seconds say nothing of it any more."""
        return not self.confirmed and not any(seen for _, seen in self.votes)

    def _last(self, seconds: float, watched_s: float) -> list[tuple[float, bool]]:
        recent = [vote for vote in self.votes if vote[0] >= watched_s - seconds]
        return recent if len(recent) >= ENTER_VOTES else self.votes[-ENTER_VOTES:]


def _share(votes: Sequence[tuple[float, bool]]) -> float:
    return sum(seen for _, seen in votes) / len(votes)


@dataclass(slots=True)
class ThingsState:
    """Every thing that is followed."""

    tracks: dict[Thing, list[ThingTrack]] = field(default_factory=dict)


class Things:
    """Follows every thing of a picture but persons; time stands still while the camera is blind."""

    def __init__(self) -> None:
        self.state = ThingsState()

    def update(self, found: Iterable[Detection], watched_s: float) -> dict[Thing, list[Box]]:
        """Return where the confirmed things are after a picture, when ``watched_s`` seconds were watched in all."""
        by_thing: dict[Thing, list[Box]] = {thing: [] for thing in self.state.tracks}
        for item in found:
            if item.thing is not Thing.PERSON:
                by_thing.setdefault(item.thing, []).append(item.box)
        for thing, boxes in by_thing.items():
            tracks = _follow(self.state.tracks.get(thing, []), boxes, watched_s)
            self.state.tracks[thing] = [track for track in tracks if not track.is_gone]
        return {
            thing: [track.box for track in tracks if track.confirmed] for thing, tracks in self.state.tracks.items()
        }

    @property
    def are_agreed(self) -> bool:
        """Tell whether everything is believed and all that still counts shows it."""
        tracks = [track for found in self.state.tracks.values() for track in found]
        return all(track.confirmed and all(seen for _, seen in track.votes) for track in tracks)


def _follow(tracks: Sequence[ThingTrack], boxes: Sequence[Box], watched_s: float) -> list[ThingTrack]:
    pairs = [(_closeness(track.box, box), track, box) for track in tracks for box in boxes]
    taken: dict[int, Box] = {}
    free = list(boxes)
    for value, track, box in sorted(pairs, key=lambda pair: -pair[0]):
        if value > 0 and id(track) not in taken and box in free:
            taken[id(track)] = box
            free.remove(box)
    fresh = [ThingTrack(box) for box in free]
    taken.update({id(track): track.box for track in fresh})
    for track in (*tracks, *fresh):
        track.vote(taken.get(id(track)), watched_s)
    return [*tracks, *fresh]


def _closeness(a: Box, b: Box) -> float:
    """Return by how much two boxes may be one thing, 0 for not at all: flames and smoke change their shape."""
    common = iou(a, b)
    if common >= _SAME_IOU:
        return 1 + common
    return max(0.0, 1 - distance(a, b) / _NEAR_LENGTHS)
