"""How far the centre is with a hazard (隐患) that an alarm made known: the centre's word, kept beside the alarm."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Literal


class Handling(StrEnum):
    """From finding to closing, in the order of a rectification ledger; ``rejected`` leads back to ``rectifying``."""

    REGISTERED = "registered"
    ASSIGNED = "assigned"
    RECTIFYING = "rectifying"
    AWAITING_ACCEPTANCE = "awaiting_acceptance"
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    RECHECKED = "rechecked"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Hazard:
    """What the centre told last. It changes nothing of the alarm: not its state, its sound or its shelf.

    ``occurrence`` is the one that was reported; ``reason`` is why the work was not accepted.
    """

    id: str
    status: Handling
    occurrence: str
    at: datetime
    by: str
    via: str
    level: Literal["", "general", "major"] = ""
    measures: str = ""
    responsible: str = ""
    deadline: date | None = None
    supervised: bool = False
    """Listed for supervision (挂牌督办)."""
    reason: str = ""

    def recurs(self, occurrence: str) -> bool:
        """Tell whether the alarm was raised again since, as ``occurrence``."""
        return occurrence not in ("", self.occurrence)
