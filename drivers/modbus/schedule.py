"""Which blocks a session reads, given what its device refused. No I/O; time is an argument."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from drivers.modbus.plan import Block, Limits, Span, joined, plan

RETRY_S = 10.0
"""What the device refuses is asked again after this long."""


@dataclass(frozen=True)
class Answer:
    """What became of one block. ``refusal`` is the reason why to leave it out for a while, empty if none."""

    block: Block
    refusal: str = ""


@dataclass(frozen=True)
class Barred:
    """A block that is left out until ``until_s`` (monotonic)."""

    block: Block
    reason: str
    until_s: float


class Schedule:
    """Begins with the fewest blocks; a refused address is cut out of its block, and let in again once it answers."""

    def __init__(self, spans: Iterable[Span], limits: Limits) -> None:
        self._limits = limits
        self.blocks: Sequence[Block] = plan(spans, limits)
        self.barred: Sequence[Barred] = ()
        self._probed: Sequence[Block] = ()
        self._is_recovering = False

    def probes(self, now_s: float) -> list[Block]:
        """Release what is due to be asked again, for the poll that ``settle`` ends.

        One block per poll, so that bad addresses never delay the good ones; all of them as soon as
        one has recovered, since a device that failed as a whole comes back as a whole.
        """
        due = [each for each in self.barred if self._is_recovering or now_s >= each.until_s]
        due = due if self._is_recovering else due[:1]
        self.barred = [each for each in self.barred if each not in due]
        self._probed = [each.block for each in due]
        return self._probed

    def settle(self, answers: Collection[Answer], now_s: float) -> None:
        """Take in all the answers of one poll: blocks may have come apart, recovered, or been refused."""
        refused = [Barred(each.block, each.refusal, now_s + RETRY_S) for each in answers if each.refusal]
        kept = [each.block for each in answers if not each.refusal]
        if refused or len(kept) != len(self.blocks):
            self.blocks = joined(kept, self._limits)
            self.barred = [*self.barred, *refused]
        self._is_recovering = any(block in kept for block in self._probed)
