"""After a start or a gap nobody is followed yet: until somebody could be, an empty picture is no news. Pure.

Without it a worker that begins anew would tell "nobody without a helmet" for a second, and an active alarm would clear.
"""

from __future__ import annotations

from models.rhythm import Rhythm
from models.tracking import CONFIRMED_HITS
from models.voting import ENTER_S, ENTER_VOTES, Presence

LOOKS = max(CONFIRMED_HITS, ENTER_VOTES, Presence.NEEDED) + 1
"""One more than what a person needs to be believed in the best case."""
SETTLED_S = ENTER_S


def why_unsettled(rhythm: Rhythm) -> str:
    """Return why the facts of the newest picture do not count yet, or nothing."""
    if rhythm.looks >= LOOKS and rhythm.seeing_s >= SETTLED_S:
        return ""
    return f"it has looked for {rhythm.seeing_s:.1f} s without a gap; people are told of after {SETTLED_S:g} s"
