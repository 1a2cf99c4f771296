"""Things that are no persons: followed simply, and believed by votes over seconds."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence

from models.detection import Box, Detection
from models.geometry import distance, iou
from models.rhythm import Rhythm
from models.vocabulary import Thing
from models.voting import ENTER_S, ENTER_SHARE, ENTER_VOTES, LEAVE_S, LEAVE_SHARE

_SAME_IOU, _NEAR_LENGTHS = 0.2, 0.5
COUNTED = {Thing.VEHICLE: "vehicles"}
"""The facts that are not called as the thing is."""


def fact_of(thing: Thing) -> str:
    """Return the name of the count of a thing."""
    return COUNTED.get(thing, str(thing))


class ThingTrack:
    """One thing. There once 60 % of at least 3 pictures in 2 s show it, gone once fewer than 30 % in 3 s do."""

    def __init__(self, box: Box) -> None:
        self.box = box
        self.confirmed = False
        self._votes: deque[tuple[float, bool]] = deque()

    def vote(self, box: Box | None, watched_s: float) -> None:
        """Take up a picture that shows it at ``box``, or does not show it (None)."""
        self.box = box or self.box
        self._votes.append((watched_s, box is not None))
        while self._votes[0][0] < watched_s - LEAVE_S:
            self._votes.popleft()
        recent = [seen for at_s, seen in self._votes if at_s >= watched_s - ENTER_S]
        if len(recent) >= ENTER_VOTES and sum(recent) >= ENTER_SHARE * len(recent):
            self.confirmed = True
        elif self._share < LEAVE_SHARE and len(self._votes) >= ENTER_VOTES:
            self.confirmed = False

    @property
    def is_gone(self) -> bool:
        """Tell whether the last seconds say nothing of it any more."""
        return not self.confirmed and not any(seen for _, seen in self._votes)

    @property
    def _share(self) -> float:
        return sum(seen for _, seen in self._votes) / len(self._votes)


class Things:
    """Follows every thing of a picture but persons; time stands still while the camera is blind."""

    def __init__(self) -> None:
        self._tracks: dict[Thing, list[ThingTrack]] = {}
        self._rhythm = Rhythm()

    def update(self, found: Iterable[Detection], now_s: float) -> dict[Thing, list[Box]]:
        """Return where the confirmed things are after the picture taken at ``now_s`` (monotonic seconds)."""
        self._rhythm.step(now_s)
        by_thing: dict[Thing, list[Box]] = {thing: [] for thing in self._tracks}
        for item in found:
            if item.thing is not Thing.PERSON:
                by_thing.setdefault(item.thing, []).append(item.box)
        for thing, boxes in by_thing.items():
            tracks = self._follow(self._tracks.get(thing, []), boxes)
            self._tracks[thing] = [track for track in tracks if not track.is_gone]
        return {thing: [track.box for track in tracks if track.confirmed] for thing, tracks in self._tracks.items()}

    def _follow(self, tracks: Sequence[ThingTrack], boxes: list[Box]) -> list[ThingTrack]:
        pairs = [(closeness(track.box, box), track, box) for track in tracks for box in boxes]
        taken: dict[int, Box] = {}
        free = list(boxes)
        for value, track, box in sorted(pairs, key=lambda pair: -pair[0]):
            if value > 0 and id(track) not in taken and box in free:
                taken[id(track)] = box
                free.remove(box)
        fresh = [ThingTrack(box) for box in free]
        taken.update({id(track): track.box for track in fresh})
        for track in (*tracks, *fresh):
            track.vote(taken.get(id(track)), self._rhythm.watched_s)
        return [*tracks, *fresh]


def closeness(a: Box, b: Box) -> float:
    """Return by how much two boxes may be one thing, 0 for not at all: flames and smoke change their shape."""
    common = iou(a, b)
    if common >= _SAME_IOU:
        return 1 + common
    return max(0.0, 1 - distance(a, b) / _NEAR_LENGTHS)
