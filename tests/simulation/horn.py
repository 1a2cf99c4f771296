"""The outputs of the simulated plant."""

from __future__ import annotations

from agent.annunciation import Annunciator, OutputKind


def annunciator() -> Annunciator:
    """Return a siren with a horn as its backup, and two lamps."""
    kinds = {"siren": OutputKind.SIREN, "horn": OutputKind.SIREN, "red": OutputKind.RED, "yellow": OutputKind.YELLOW}
    return Annunciator(kinds, {"siren": "horn"}, lambda: None)
