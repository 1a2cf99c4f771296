"""Alarm floods: more alarms than a person can take in (EEMUA 191: more than 10 in 10 minutes). Pure in (raises, now).

An alarm counts for its zone and for the whole area, which is the zone ``""``.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Collection
from dataclasses import dataclass, field

from agent.core.model import Alarm, AlarmDefinition, Instant, Priority

WITHIN_S = 600.0
BEGINS_ABOVE = 10
ENDS_BELOW = 5
AREA = ""
"""The zone that stands for the whole area, and for alarms without a zone."""
SUMMARY = "gateway.flood"
"""The built-in alarm that stands for the less urgent alarms of a flood; its point has the same name."""
_MOST_KEPT = 10_000


def is_muted_by_flood(definition: AlarmDefinition, alarm: Alarm, zones: Collection[str]) -> bool:
    """Tell whether the summary alarm stands for this one while ``zones`` are flooded. P1 and P2 never are.

    An alarm with outputs of its own keeps them, since the summary does not reach those; and one that has
    escalated calls for itself, since nobody has answered.
    """
    if definition.priority <= Priority.P2 or definition.id == SUMMARY:
        return False
    if definition.outputs is not None or alarm.escalated:
        return False
    return definition.zone in zones


@dataclass(slots=True)
class Flood:
    """One flood, from its beginning; ``raised`` counts the alarms of the 10 minutes before it too."""

    zone: str
    since: Instant
    raised: int
    priorities: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class FloodChange:
    """A flood that begins or ends."""

    begins: bool
    flood: Flood


class FloodMonitor:
    """Counts what was raised, by zone."""

    def __init__(self) -> None:
        self._recent: dict[str, deque[tuple[float, Priority]]] = {}
        self._floods: dict[str, Flood] = {}

    @property
    def zones(self) -> Collection[str]:
        """The zones that are flooded now; the area is ``""``."""
        return self._floods.keys()

    @property
    def floods(self) -> Collection[Flood]:
        """The floods of now."""
        return self._floods.values()

    def raised(self, zone: str, priority: Priority, moment_s: float) -> None:
        """Count an alarm that called people at ``moment_s``."""
        for each in dict.fromkeys((zone, AREA)):
            recent = self._recent.setdefault(each, deque(maxlen=_MOST_KEPT))
            late = bool(recent) and moment_s < recent[-1][0]
            recent.append((moment_s, priority))
            if late:  # from the journal, of the time before this process
                self._recent[each] = deque(sorted(recent), maxlen=_MOST_KEPT)
            flood = self._floods.get(each)
            if flood is not None:
                flood.raised += 1
                flood.priorities[priority.name] += 1

    def look(self, now: Instant) -> list[FloodChange]:
        """Return the floods that begin or end now."""
        changes = []
        for zone, recent in list(self._recent.items()):
            while recent and now.mono_s - recent[0][0] >= WITHIN_S:
                recent.popleft()
            if zone in self._floods and len(recent) < ENDS_BELOW:
                changes.append(FloodChange(False, self._floods.pop(zone)))
            elif zone not in self._floods and len(recent) > BEGINS_ABOVE:
                begun = Flood(zone, now, len(recent), Counter(priority.name for _, priority in recent))
                self._floods[zone] = begun
                changes.append(FloodChange(True, begun))
            if not recent:
                del self._recent[zone]
        return changes

    def lately(self, now_s: float) -> int:
        """Return how many alarms were raised in the last 10 minutes."""
        return sum(now_s - moment_s < WITHIN_S for moment_s, _ in self._recent.get(AREA, ()))
