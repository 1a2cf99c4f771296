"""What ``site.yaml`` may say under ``journal``."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from agent.core.durations import Duration
from agent.core.model import Lane
from agent.core.options import Options

_OVERHEAD = 1.33
"""Bytes on disk for one byte of an event: indexes, hashes, half-filled pages."""
_SHARES = {Lane.ALARM: 0.4, Lane.STATE: 0.2, Lane.EVIDENCE: 0.3, Lane.TELEMETRY: 0.1}


class JournalOptions(Options):
    """How much is kept. A lane that is full loses its own oldest events, sent ones first; never another's."""

    max_mb: int = Field(default=2048, ge=16, description="about how large the file may become")
    keep: Duration = Field(default=7 * 86400.0, ge=0, description="how long events are kept after they were sent")
    shares: dict[Lane, float] = Field(
        default_factory=dict, description="of the size, by lane; others keep their default"
    )
    ballast_mb: int = Field(default=16, ge=8, description="kept free for the day on which the disk is full")

    @model_validator(mode="after")
    def _shares_fit(self) -> Self:
        shares = [self._share(lane) for lane in Lane]
        total = sum(shares)
        if min(shares) <= 0 or total > 1.0001:
            raise ValueError(f"the shares of the lanes must be above 0 and at most 1 together, not {total:.2f}")
        return self

    def limit_bytes(self, lane: str) -> int:
        """Return how many bytes of events a lane may keep."""
        return int(self.max_mb * 2**20 / _OVERHEAD * self._share(Lane(lane)))

    def _share(self, lane: Lane) -> float:
        return self.shares.get(lane, _SHARES[lane])
