"""What became of a rule set that somebody wanted to run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from agent.core.errors import Fault
from agent.core.model import EventDraft, Instant, Lane, Operator
from rules.difference import NOTHING, Difference

FILES = Operator("", "files")
"""Nobody pushed: a file was edited."""
_MOST_LINES = 200
"""Of faults and of differences in one event."""


@dataclass(frozen=True)
class Outcome:
    """``action``: applied, rolled-back, rejected, or tried (a rehearsal). ``reason`` says why not, in one line.

    ``previous`` is what ran before. With ``kept`` false it runs, but will not be found again after a restart.
    """

    action: str
    revision: str
    previous: str
    difference: Difference = NOTHING
    faults: tuple[Fault, ...] = ()
    reason: str = ""
    kept: bool = True

    def plain(self) -> dict[str, Any]:
        """Return it as JSON data."""
        return {
            "action": self.action,
            "revision": self.revision,
            "previous": self.previous,
            "difference": self.difference.plain(),
            "lines": list(self.difference.lines()),
            "faults": list(map(str, self.faults)),
            "reason": self.reason,
            "kept": self.kept,
        }

    def event(self, operator: Operator, now: Instant) -> EventDraft:
        """Return what the journal and the centre learn."""
        data = self.plain()
        del data["difference"]
        cut = {name: data[name][:_MOST_LINES] for name in ("lines", "faults")}
        who = {"name": operator.name, "via": operator.via, "note": operator.note}
        return EventDraft("rules.change", Lane.STATE, "rules", {**data, **cut, "operator": who}, now)


def rejected(
    revision: str, active: str, reason: str = "", faults: Sequence[Fault] = (), found: Difference = NOTHING
) -> Outcome:
    """Return a refusal: ``active`` goes on."""
    return Outcome("rejected", revision, active, found, tuple(faults), reason or f"{len(faults)} fault(s)")
