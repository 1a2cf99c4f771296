"""What ``site.yaml`` may say under ``evidence``."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from agent.core.durations import Duration
from agent.core.options import Options

DAY_S = 86400.0


class EvidenceOptions(Options):
    """How long pictures and clips are kept, how much of the disk they may take, and what of them is sent."""

    keep: Duration = Field(default=90 * DAY_S, gt=0, description="what may leave the gateway")
    originals: Duration = Field(default=3 * DAY_S, ge=0, description="pictures with faces, which never leave it")
    total_mb: int = Field(default=2000, ge=1)
    camera_mb: int = Field(default=1000, ge=1, description="of one camera")
    free_mb: int = Field(default=500, ge=0, description="left to the journal and others; below it none is kept")
    send: tuple[Literal["snapshot", "annotated", "clip"], ...] = ("snapshot", "annotated")
    originals_for: tuple[str, ...] = Field(default=(), description="operators who may see and export originals")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.originals > self.keep:
            raise ValueError("'originals' are kept longer than the rest; give 'originals' no more than 'keep'")
        if self.camera_mb > self.total_mb:
            raise ValueError("'camera_mb' is more than 'total_mb' and limits nothing; give one camera no more than all")
        return self
