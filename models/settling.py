"""After a start or a gap nobody is followed yet: until somebody could be, an empty picture is no news. Pure.

Without it a worker that begins anew would tell "nobody without a helmet" for a second, and an active alarm would clear.
"""

from __future__ import annotations

from models.tracking import CONFIRMED_HITS, LOST_S
from models.voting import ENTER_S, ENTER_VOTES, Presence

LOOKS = max(CONFIRMED_HITS, ENTER_VOTES, Presence.NEEDED) + 1
"""One more than what a person needs to be believed in the best case."""
SETTLED_S = ENTER_S


class Settling:
    """Knows since when a camera has been watched without a gap in which people are lost from sight."""

    def __init__(self) -> None:
        self._since_s = self._last_s = float("-inf")
        self._looks = 0

    def look(self, now_s: float) -> str:
        """Count a picture that was judged in (monotonic seconds); return why the facts do not count yet, or nothing."""
        if now_s - self._last_s > LOST_S:
            self._since_s, self._looks = now_s, 0
        self._last_s = now_s
        self._looks += 1
        passed_s = now_s - self._since_s
        if self._looks >= LOOKS and passed_s >= SETTLED_S:
            return ""
        return f"it has looked for {passed_s:.1f} s without a gap; people are told of after {SETTLED_S:g} s"
