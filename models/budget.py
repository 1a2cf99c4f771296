"""Shares the processor out among cameras: who may judge how many pictures a second. Pure.

Equals get the same share of what they ask for. Nobody is brought below the pace at which people can still be followed
while there is enough for that; below it facts are uncertain, and below one picture a second a camera is paused, the
least urgent first, so that the others see at all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

FLOOR_FPS = 2.0
"""Who walks is followed, and lines and equipment are judged as ever. Whoever asks for less has that for a floor."""
LEAST_FPS = 1.0
"""More seldom nobody is followed, and every fact would be unknown."""
SPARSE = 0.75
"""With less than so much of the floor really judged, people are not followed any more."""
_HALVINGS = 50


@dataclass(frozen=True, slots=True)
class Need:
    """What a camera asks for: pictures a second, at ``cost_s`` of CPU each, and ``base`` cores whatever the pace.

    ``weight`` tells how much more of its wish it gets than one with weight 1.
    """

    asked: float
    cost_s: float
    base: float = 0.0
    weight: float = 1.0

    @property
    def floor(self) -> float:
        """The pace at which people can still be followed, in pictures a second."""
        return floor_of(self.asked)

    @property
    def least(self) -> float:
        """The pace below which nobody is followed."""
        return min(self.asked, LEAST_FPS)

    def cores(self, pace: float) -> float:
        """Return the cores that it takes at that pace."""
        return self.base + pace * self.cost_s


def floor_of(asked: float) -> float:
    """Return the pace at which people can still be followed by a camera that asks for so many pictures a second."""
    return min(asked, FLOOR_FPS)


def is_sparse(asked: float, granted: float, judged: float) -> bool:
    """Tell whether a camera judges too few pictures a second to follow people; facts are uncertain then."""
    return granted < floor_of(asked) or judged < SPARSE * floor_of(asked)


def used(needs: Mapping[str, Need], paces: Mapping[str, float]) -> float:
    """Return the cores that all of them take at these paces."""
    return sum(need.cores(paces[name]) for name, need in needs.items())


def allot(needs: Mapping[str, Need], cores: float) -> dict[str, float]:
    """Return how many pictures a second each may judge, 0 for one that is paused.

    What they take together stays within ``cores``, unless their bases alone do not; then all are paused.
    """
    rest = cores - sum(need.base for need in needs.values())
    seeing = _admitted(needs, rest)
    paces = _raised(seeing, lambda need: need.least, lambda need: need.floor, rest)
    if all(paces[name] == need.floor for name, need in seeing.items()):
        paces = _raised(seeing, lambda need: need.floor, lambda need: need.asked, rest)
    return {name: paces.get(name, 0.0) for name in needs}


def _admitted(needs: Mapping[str, Need], rest: float) -> dict[str, Need]:
    """Choose who sees at all, the most urgent first, then in their order."""
    found = {}
    for name in sorted(needs, key=lambda name: -needs[name].weight):
        need = needs[name]
        if need.least * need.cost_s <= rest:
            rest -= need.least * need.cost_s
            found[name] = need
    return found


def _raised(
    needs: Mapping[str, Need], low: Callable[[Need], float], high: Callable[[Need], float], rest: float
) -> dict[str, float]:
    """Return paces between ``low`` and ``high`` that take ``rest`` cores at most, evenly as shares of ``high``."""

    def at(share: float) -> dict[str, float]:
        return {name: min(max(each.weight * share * high(each), low(each)), high(each)) for name, each in needs.items()}

    def fits(paces: Mapping[str, float]) -> bool:
        return sum(needs[name].cost_s * pace for name, pace in paces.items()) <= rest

    below, above = 0.0, 1 / min((need.weight for need in needs.values()), default=1.0)
    if fits(at(above)):
        return {name: high(need) for name, need in needs.items()}
    for _ in range(_HALVINGS):
        middle = (below + above) / 2
        below, above = (middle, above) if fits(at(middle)) else (below, middle)
    return at(below)
