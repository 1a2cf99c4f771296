"""One picture is no evidence: a person is judged by votes over seconds. Pure; time is an argument."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import ClassVar

from models.detection import Wearing

ENTER_S, ENTER_SHARE, ENTER_VOTES = 2.0, 0.6, 3
LEAVE_S, LEAVE_SHARE = 3.0, 0.3


@dataclass(slots=True)
class Ballot:
    """Votes on one piece of equipment of one person.

    Missing once >= 60 % of >= 3 votes in 2 s say so; no longer missing once < 30 % of >= 3 votes in 3 s do.
    Where pictures come too slowly for three votes in 2 s, the last three of 3 s decide.
    Unknown is no vote: a person who cannot be seen well keeps the last judgement.
    """

    verdict: Wearing = Wearing.UNKNOWN
    votes: deque[tuple[float, bool]] = field(default_factory=deque)
    """When (monotonic seconds) it was seen, and whether it was missing."""

    def cast(self, seen: Wearing, now_s: float) -> None:
        """Add what was seen at ``now_s`` (monotonic seconds) and judge anew."""
        if seen is Wearing.UNKNOWN:
            return
        self.votes.append((now_s, seen is Wearing.MISSING))
        while self.votes[0][0] < now_s - LEAVE_S:
            self.votes.popleft()
        self.verdict = self._judge(now_s)

    @property
    def is_agreed(self) -> bool:
        """Tell whether there is a verdict and every vote that still counts is for it."""
        if self.verdict is Wearing.UNKNOWN or len(self.votes) < ENTER_VOTES:
            return False
        return all(missing == (self.verdict is Wearing.MISSING) for _, missing in self.votes)

    def _judge(self, now_s: float) -> Wearing:
        recent = [missing for at_s, missing in self.votes if at_s >= now_s - ENTER_S]
        if len(recent) < ENTER_VOTES:
            recent = [missing for _, missing in self.votes][-ENTER_VOTES:]
        if len(recent) >= ENTER_VOTES and sum(recent) >= ENTER_SHARE * len(recent):
            return Wearing.MISSING
        if len(self.votes) < ENTER_VOTES:
            return self.verdict
        few = sum(missing for _, missing in self.votes) < LEAVE_SHARE * len(self.votes)
        return Wearing.WORN if few else self.verdict


@dataclass(slots=True)
class Presence:
    """Whether a person stands in a zone: three observations to enter, three to leave."""

    NEEDED: ClassVar[int] = 3
    inside: bool = False
    count: int = 0

    @property
    def is_agreed(self) -> bool:
        """Tell whether the last three observations say the same."""
        return self.count == (self.NEEDED if self.inside else 0)

    def observe(self, inside: bool) -> None:
        """Add one observation."""
        step = 1 if inside else -1
        self.count = min(self.NEEDED, max(0, self.count + step))
        if self.count in (0, self.NEEDED):
            self.inside = self.count == self.NEEDED
