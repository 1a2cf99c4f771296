"""One picture is no evidence: a person is judged by votes over seconds. Pure; time is an argument."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Any

from models.detection import Wearing

ENTER_S, ENTER_SHARE, ENTER_VOTES = 2.0, 0.6, 3
LEAVE_S, LEAVE_SHARE = 3.0, 0.3


class Ballot:
    """Votes on one piece of equipment of one person.

    Missing once >= 60 % of >= 3 votes in 2 s say so; no longer missing once < 30 % of >= 3 votes in 3 s do.
    Where pictures come too slowly for three votes in 2 s, the last three of 3 s decide.
    Unknown is no vote: a person who cannot be seen well keeps the last judgement.
    """

    def __init__(self, verdict: Wearing = Wearing.UNKNOWN, votes: Iterable[tuple[float, bool]] = ()) -> None:
        self.verdict = verdict
        self._votes: deque[tuple[float, bool]] = deque(votes)

    def plain(self) -> dict[str, Any]:
        """Return it as JSON data, for a worker that goes on."""
        return {"verdict": self.verdict, "votes": list(self._votes)}

    def cast(self, seen: Wearing, now_s: float) -> None:
        """Add what was seen at ``now_s`` (monotonic seconds) and judge anew."""
        if seen is Wearing.UNKNOWN:
            return
        self._votes.append((now_s, seen is Wearing.MISSING))
        while self._votes[0][0] < now_s - LEAVE_S:
            self._votes.popleft()
        self.verdict = self._judge(now_s)

    @property
    def is_agreed(self) -> bool:
        """Tell whether there is a verdict and every vote that still counts is for it."""
        if self.verdict is Wearing.UNKNOWN or len(self._votes) < ENTER_VOTES:
            return False
        return all(missing == (self.verdict is Wearing.MISSING) for _, missing in self._votes)

    def _judge(self, now_s: float) -> Wearing:
        recent = [missing for at_s, missing in self._votes if at_s >= now_s - ENTER_S]
        if len(recent) < ENTER_VOTES:
            recent = [missing for _, missing in self._votes][-ENTER_VOTES:]
        if len(recent) >= ENTER_VOTES and sum(recent) >= ENTER_SHARE * len(recent):
            return Wearing.MISSING
        if len(self._votes) < ENTER_VOTES:
            return self.verdict
        few = sum(missing for _, missing in self._votes) < LEAVE_SHARE * len(self._votes)
        return Wearing.WORN if few else self.verdict


class Presence:
    """Whether a person stands in a zone: three observations to enter, three to leave."""

    NEEDED = 3

    def __init__(self, inside: bool = False, count: int = 0) -> None:
        self.inside = inside
        self._count = count

    def plain(self) -> dict[str, Any]:
        """Return it as JSON data, for a worker that goes on."""
        return {"inside": self.inside, "count": self._count}

    @property
    def is_agreed(self) -> bool:
        """Tell whether the last three observations say the same."""
        return self._count == (self.NEEDED if self.inside else 0)

    def observe(self, inside: bool) -> None:
        """Add one observation."""
        step = 1 if inside else -1
        self._count = min(self.NEEDED, max(0, self._count + step))
        if self._count in (0, self.NEEDED):
            self.inside = self._count == self.NEEDED
