"""How often a unit that does not answer may cost the others on its line time. Pure: time is an argument."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

SHARE = 10
"""Asking units that do not answer takes at most one part in so many of the line's time."""


@dataclass
class Demotion:
    """A unit that did not answer is demoted: it is asked again, but rarely, until it answers.

    One that was well for so long that its share of the line covers the loss may be asked again at once:
    a frame that is lost now and then must not keep a siren waiting.

    ``rests`` tells from when on a unit may be asked at all: where a late answer cannot be told from the
    right one, it must have had the time to arrive.
    """

    rests: dict[int, float] = field(default_factory=dict)
    _silent: set[int] = field(default_factory=set)
    _heard: set[int] = field(default_factory=set)
    _missed_s: dict[int, float] = field(default_factory=dict)
    _next_probe_s: float = 0.0

    @property
    def is_of_use(self) -> bool:
        """Whether any unit was ever missed."""
        return bool(self.rests)

    def is_silent(self, unit: int) -> bool:
        """Tell whether ``unit`` did not answer when it was last asked."""
        return unit in self._silent

    def was_heard(self, unit: int) -> bool:
        """Tell whether ``unit`` answered when it was last asked."""
        return unit in self._heard

    def wait_s(self, unit: int, now_s: float, is_shared: bool) -> float:
        """Return how long ``unit`` must wait before its next request; alone on its line it holds up nobody."""
        rest_s = max(self.rests.get(unit, 0.0) - now_s, 0.0)
        return max(rest_s, self._next_probe_s - now_s) if is_shared and unit in self._silent else rest_s

    def reserve(self, unit: int, limit_s: float, now_s: float) -> None:
        """A request to ``unit`` begins, and may take ``limit_s``: no other silent unit is asked meanwhile."""
        if unit in self._silent:
            self._next_probe_s = now_s + limit_s * SHARE

    def answered(self, unit: int, now_s: float) -> None:
        """``unit`` answered: it is like all others again."""
        self._heard.add(unit)
        if unit in self._silent:
            self._silent.discard(unit)
            self._next_probe_s = now_s

    def missed(self, unit: int, now_s: float, took_s: float, rest_s: float) -> None:
        """``unit`` did not answer for ``took_s``."""
        last_s, self._missed_s[unit] = self._missed_s.get(unit, -math.inf), now_s
        was_well = unit in self._heard and now_s - last_s > took_s * SHARE
        self._heard.discard(unit)
        self.rests[unit] = now_s + rest_s
        if not was_well:
            self._silent.add(unit)
            self._next_probe_s = now_s + took_s * (SHARE - 1)
