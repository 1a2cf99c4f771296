"""Which blocks a session reads, given what its device refused. No I/O; time is an argument."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from drivers.modbus.plan import Block, Limits, Span, joined, plan

RETRY_S = 10.0
"""What the device refuses is asked again after this long."""
ISOLATE_S = 1.0
"""Longest time that one poll spends on finding bad addresses; the next one goes on with it."""
FORGET_S = 600.0
"""A block whose parts were read though it was refused is tried again as a whole after this long."""


@dataclass(frozen=True)
class Answer:
    """What became of one block. ``refusal`` is the reason why to leave it out for a while, empty if none.

    It ``is_open`` if the next poll must ask again: the device was busy, or the search was not finished.
    """

    block: Block
    refusal: str = ""
    is_open: bool = False


class Search:
    """How long one poll may go on to look for bad addresses. The time runs from the first refusal."""

    def __init__(self) -> None:
        self._until_s = math.inf

    def is_over(self, now_s: float) -> bool:
        """Tell whether to leave the rest to the next poll; a block was refused now."""
        self._until_s = min(self._until_s, now_s + ISOLATE_S)
        return now_s >= self._until_s


@dataclass(frozen=True)
class Barred:
    """A block that is left out until ``until_s`` (monotonic)."""

    block: Block
    reason: str
    until_s: float


class Schedule:
    """Begins with the fewest blocks; a refused address is cut out of its block, and let in again once it answers.

    What was refused as a whole is not asked for as a whole again, even if each of its parts is read:
    the device may take smaller requests than its options say.
    """

    def __init__(self, spans: Iterable[Span], limits: Limits) -> None:
        self._limits = limits
        self.blocks: Sequence[Block] = plan(spans, limits)
        self.barred: Sequence[Barred] = ()
        self._probed: Sequence[Block] = ()
        self._is_recovering = False
        self._torn: dict[Block, float] = {}
        """What was refused as a whole, and until when (monotonic) to remember it."""

    def probes(self, now_s: float) -> list[Block]:
        """Release what is due to be asked again, for the poll that ``settle`` ends.

        One block per poll, so that bad addresses never delay the good ones; all of them, in as few blocks
        as can be, as soon as one has recovered, since a device that failed as a whole comes back as a whole.
        """
        due = [each for each in self.barred if self._is_recovering or now_s >= each.until_s]
        due = due if self._is_recovering else due[:1]
        self.barred = [each for each in self.barred if each not in due]
        self._probed = plan([span for each in due for span in each.block.spans], self._limits)
        return list(self._probed)

    def settle(self, answers: Collection[Answer], now_s: float) -> None:
        """Take in all the answers of one poll: blocks may have come apart, recovered, or been refused."""
        refused = [Barred(each.block, each.refusal, now_s + RETRY_S) for each in answers if each.refusal]
        good = [each.block for each in answers if not each.refusal and not each.is_open]
        left = [each.block for each in answers if each.is_open]
        self._is_recovering = any(block in good for block in self._probed)
        has_forgotten = self._remember({each.block for each in answers}, now_s)
        if refused or has_forgotten or len(good) + len(left) != len(self.blocks):
            self.blocks = [*joined(good, self._limits, self._torn), *left]
            self.barred = [*self.barred, *refused]

    def _remember(self, answered: Collection[Block], now_s: float) -> bool:
        """Keep in mind which blocks came apart; return whether older ones are forgotten."""
        old = [block for block, until_s in self._torn.items() if self._is_recovering or now_s >= until_s]
        for block in old:
            del self._torn[block]
        asked = [*self.blocks, *self._probed]
        self._torn |= {block: now_s + FORGET_S for block in asked if block not in answered}
        return bool(old)
