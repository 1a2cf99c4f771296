"""Who is who from picture to picture, at few pictures per second. Pure; time is an argument."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from models.detection import Box, Detection, Wearing
from models.geometry import covered, distance, iou, is_cut, overlap, stands_on_other_feet
from models.posture import Pace, Posture
from models.rhythm import LOST_S, Rhythm
from models.vocabulary import Gear
from models.voting import Ballot, Presence

LINGER_S = 30.0
"""Whoever was last seen lying does not walk away: nothing that is not seen clears a fall."""
CONFIRMED_HITS = 3
DOUBTED_S = 10.0
"""Who was seen only in doubt for longer may be a thing: on the clips a traffic cone was, for 7.4 s, and nobody."""
LEAST_PX = 40.0
"""Of somebody smaller, posture and pace are unknown."""
HIDDEN_SHARE = 0.4
"""A person of whom somebody nearer hides that much votes nothing."""
JUMP_HEIGHTS = 1.5
_STRONG_IOU, _WEAK_IOU = 0.25, 0.4
_NEAR_HEIGHTS = 0.6
_QUICKEST = 3.0
"""Lengths per second that a person may have moved since the picture before."""
_SIZE_RATIO = 0.6
_SLIM, _MOST_HIDDEN, _WHOLE_SHARE = 2.5, 3.5, 0.8
"""A person from top to toe is so many times higher than wide; a box shows a share of one, or (nearly) all."""
_SMOOTH = 0.5
_SPLIT_SHARE, _MIX_SHARE = 0.5, 0.3


@dataclass
class Track:
    """One person. ``speed`` is pixels per second; ``seen_s`` is monotonic; only strong detections are ``hits``."""

    id: int
    box: Box
    seen_s: float
    hits: int = 0
    speed: tuple[float, float] = (0.0, 0.0)
    ballots: dict[Gear, Ballot] = field(default_factory=dict)
    zones: dict[str, Presence] = field(default_factory=dict)
    jumped: bool = False
    hidden: bool = False
    shared: bool = False
    """Whether its newest box may be over several, so that the feet may be another's."""
    origin: int = 0
    """Out of whose box it stepped when it was first seen: one box may have been two people. 0 for nobody's."""
    mixed: int = 0
    """Whom it may be taken for since ``mixed_s``, when one of the two was not seen where the other's box is."""
    mixed_s: float | None = None
    sure_s: float = 0.0
    """When it was last seen by a strong detection (monotonic)."""
    clear: bool = False
    """Whether the newest picture of it shows all of it, and large enough."""
    posture: Posture = field(default_factory=Posture)
    pace: Pace = field(default_factory=Pace)

    @property
    def confirmed(self) -> bool:
        """Tell whether it was seen often enough to be believed."""
        return self.hits >= CONFIRMED_HITS

    @property
    def is_doubted(self) -> bool:
        """Tell whether it has been followed on weak detections only for so long that it may be nobody."""
        return self.seen_s - self.sure_s > DOUBTED_S

    def zone(self, name: str) -> Presence:
        """Return its presence in a zone."""
        return self.zones.setdefault(name, Presence())

    def expected(self, now_s: float) -> Box:
        """Return where it should be at ``now_s``."""
        passed_s = 0.0 if self.posture.lying else min(now_s - self.seen_s, LOST_S)
        return self.box.moved(self.speed[0] * passed_s, self.speed[1] * passed_s)

    def follow(self, detection: Detection, now_s: float, strong: bool) -> None:
        """Take up a new observation. One that jumped votes nothing."""
        passed_s = max(now_s - self.seen_s, 1e-3)
        (x, y), (ox, oy) = detection.box.centre, self.box.centre
        self.jumped = distance(detection.box, self.box) > JUMP_HEIGHTS
        fresh = ((x - ox) / passed_s, (y - oy) / passed_s)
        old = (0.0, 0.0) if self.jumped else self.speed
        self.speed = (old[0] + _SMOOTH * (fresh[0] - old[0]), old[1] + _SMOOTH * (fresh[1] - old[1]))
        self.box, self.seen_s = detection.box, now_s
        self.hits += strong
        self.sure_s = now_s if strong else self.sure_s
        if not self.jumped:
            self.vote(detection, now_s)

    def vote(self, detection: Detection, now_s: float) -> None:
        """Cast the votes of one observation; of somebody hidden, what is seen may be another's."""
        if self.hidden:
            return
        for gear, wearing in detection.gear.items():
            self.ballots.setdefault(gear, Ballot()).cast(wearing, now_s)

    def watch(self, width: int, height: int) -> None:
        """Take up how it holds itself and how it moves, where the newest picture shows that clearly."""
        whole = not self.hidden and self.box.length >= LEAST_PX and not is_cut(self.box, width, height)
        self.clear = whole and not self.jumped
        if not self.clear:
            self.pace.forget()
        else:
            self.posture.observe(self.box, self.seen_s)
            self.pace.observe(self.box, self.seen_s)

    @property
    def hidden_px(self) -> float:
        """How far below its box the feet may be, behind a desk or another; 0 of whom the box shows from top to toe."""
        if self.posture.lying:
            return 0.0
        tall = max(min(_SLIM * self.box.width, _MOST_HIDDEN * self.box.height), self.posture.tall)
        return tall - self.box.height if self.box.height < _WHOLE_SHARE * tall else 0.0

    def verdict(self, gear: Gear) -> Wearing:
        """Return what the votes say of a piece of equipment."""
        ballot = self.ballots.get(gear)
        return ballot.verdict if ballot else Wearing.UNKNOWN


@dataclass(slots=True)
class TrackerState:
    """All that a tracker remembers; an id is never given twice."""

    tracks: list[Track] = field(default_factory=list)
    next_id: int = 1
    rhythm: Rhythm = field(default_factory=Rhythm)


class Tracker:
    """Matches in three rounds: strong detections by overlap, weak ones by overlap, strong ones by distance."""

    def __init__(self, strong_score: float) -> None:
        self.state = TrackerState()
        self._strong_score = strong_score
        self._boxes: Sequence[Box] = ()
        self._before: Sequence[tuple[int, Box]] = ()

    @property
    def tracks(self) -> list[Track]:
        """Those who live."""
        return self.state.tracks

    @property
    def rhythm(self) -> Rhythm:
        """How pictures come."""
        return self.state.rhythm

    def update(self, detections: Sequence[Detection], now_s: float) -> list[Track]:
        """Return the living tracks after the picture taken at ``now_s``; those seen in it have ``seen_s == now_s``."""
        step_s = self.rhythm.step(now_s)
        strong = [found for found in detections if found.score >= self._strong_score]
        weak = [found for found in detections if found.score < self._strong_score]
        self.state.tracks = [track for track in self.tracks if not self._is_lost(track, now_s)]
        free = list(self.tracks)
        self._boxes = [found.box for found in strong]
        self._before = [(track.id, track.expected(now_s)) for track in free]
        self._match(free, strong, _by_overlap(_STRONG_IOU), now_s)
        self._match(free, weak, _by_overlap(_WEAK_IOU), now_s)
        self._match(free, strong, _by_distance(max(_NEAR_HEIGHTS, min(_QUICKEST * step_s, JUMP_HEIGHTS))), now_s)
        for lost in free:
            self._mix(lost, now_s)
        for detection in strong:
            self._begin(detection, now_s)
        return self.tracks

    def _mix(self, lost: Track, now_s: float) -> None:
        """Note whose box may be over two: when they part again, each may be the other."""
        where = lost.expected(now_s)
        for track in self.tracks:
            if track.seen_s == now_s and overlap(where, track.box) >= _MIX_SHARE * where.area:
                lost.mixed, track.mixed = track.id, lost.id
                lost.mixed_s = track.mixed_s = now_s

    def _is_lost(self, track: Track, now_s: float) -> bool:
        limit_s = LINGER_S if track.confirmed and track.posture.lying else self.rhythm.patience_s
        return now_s - track.seen_s > limit_s

    def _match(self, free: list[Track], found: list[Detection], closeness: Closeness, now_s: float) -> None:
        """Pair greedily, closest first; paired ones leave both lists."""
        pairs = [(closeness(track.expected(now_s), item.box), track, item) for track in free for item in found]
        for value, track, item in sorted(pairs, key=lambda pair: -pair[0]):
            if value > 0 and track in free and item in found:
                free.remove(track)
                found.remove(item)
                track.hidden, track.shared = self._is_hidden(item), self._is_shared(item)
                track.follow(item, now_s, item.score >= self._strong_score)

    def _begin(self, detection: Detection, now_s: float) -> None:
        track = Track(self.state.next_id, detection.box, now_s, hits=1, sure_s=now_s)
        track.origin = self._origin(detection)
        track.hidden, track.shared = self._is_hidden(detection), self._is_shared(detection)
        track.vote(detection, now_s)
        self.tracks.append(track)
        self.state.next_id += 1

    def _is_hidden(self, detection: Detection) -> bool:
        return covered(detection.box, self._boxes) >= HIDDEN_SHARE

    def _is_shared(self, detection: Detection) -> bool:
        return stands_on_other_feet(detection.box, self._boxes)

    def _origin(self, detection: Detection) -> int:
        """Return whose box showed this person, too, in the picture before; 0 for nobody's."""
        shares = [(overlap(detection.box, box) / max(detection.box.area, 1.0), name) for name, box in self._before]
        share, name = max(shares, default=(0.0, 0))
        return name if share >= _SPLIT_SHARE else 0


Closeness = Callable[[Box, Box], float]


def _by_overlap(least: float) -> Closeness:
    def closeness(a: Box, b: Box) -> float:
        value = iou(a, b)
        return value if value >= least else 0.0

    return closeness


def _by_distance(reach: float) -> Closeness:
    """Return how near two boxes are, at most ``reach`` lengths apart; one who falls keeps its length."""

    def closeness(a: Box, b: Box) -> float:
        alike = min(a.length, b.length) >= _SIZE_RATIO * max(a.length, b.length)
        return max(0.0, 1 - distance(a, b) / reach) if alike else 0.0

    return closeness
