"""Whether the centre still confirms what it was sent. Pure in (what was known, marks, now)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass
class _Lane:
    """``waited_s`` counts while a connection stands: what nobody can say, nobody can be late with."""

    stored: int
    waited_s: float = 0.0
    is_sure: bool = False


@dataclass
class Confirming:
    """Looks at each lane's waiting events and mark; one lane that stands still is enough."""

    within_s: float
    _lanes: dict[str, _Lane] = field(default_factory=dict)
    _looked_s: float | None = None

    def look(self, marks: Mapping[str, tuple[int, int]] | None, online: bool, now_s: float) -> bool | None:
        """Return whether the centre confirms; None while that is not known.

        ``marks`` are by lane how many events wait to be confirmed, and up to which number it has them; None when
        the journal does not know. After a start nothing is known of what waits until it moves, or is late.
        """
        passed_s = now_s - self._looked_s if self._looked_s is not None else 0.0
        self._looked_s = now_s if online and marks is not None else None
        if marks is None:
            return None
        verdicts = [self._lane(lane, *mark, online, passed_s) for lane, mark in marks.items()]
        return False if False in verdicts else None if None in verdicts else True

    def _lane(self, lane: str, waiting: int, stored: int, online: bool, passed_s: float) -> bool | None:
        known = self._lanes.setdefault(lane, _Lane(stored))
        if waiting == 0 or stored > known.stored:
            self._lanes[lane] = _Lane(stored, is_sure=True)
            return True if online or waiting == 0 else None
        if not online:
            return None
        known.waited_s += passed_s
        if known.waited_s > self.within_s:
            known.is_sure = True
            return False
        return True if known.is_sure else None
