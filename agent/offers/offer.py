"""An offer, and how far it is. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal


class Step(StrEnum):
    """How far an offer is; the words of its events."""

    ACCEPTED = "accepted"
    RESUMED = "resumed"
    """The agent was restarted; it goes on."""
    FETCHING = "fetching"
    WAITING = "waiting"
    """It goes on by itself once its ``reason`` is over."""
    TRYING = "trying"
    """It is verified and rehearsed, and takes over if it is fit."""
    ACTIVE = "active"
    """It runs, on probation."""
    SHADOWING = "shadowing"
    CONFIRMED = "confirmed"
    ROLLED_BACK = "rolled-back"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"
    INTERRUPTED = "interrupted"
    """The agent was restarted during probation; the model before runs."""


@dataclass(frozen=True)
class Offer:
    """A bundle for one camera. ``id`` is the command's; ``sha256`` is of ``manifest.yaml``, which has all others."""

    id: str
    camera: str
    name: str
    version: str
    sha256: str
    operator: str
    via: str
    note: str = ""
    url: str = ""
    """Folder of the bundle's files; empty when it must be here already."""
    mode: Literal["activate", "shadow"] = "activate"
    seconds: float = 600.0
    """For how long it is shadowed."""

    @property
    def key(self) -> str:
        """Name and version, as the gateway keeps it."""
        return f"{self.name}/{self.version}"

    def is_same(self, other: Offer) -> bool:
        """Tell whether both want the same, whoever asked."""
        ours = (self.camera, self.key, self.sha256, self.mode)
        return ours == (other.camera, other.key, other.sha256, other.mode)
