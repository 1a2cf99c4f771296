"""Which siren sounds and which lamp lights: priorities become patterns, patterns become levels."""

from agent.annunciation.annunciator import Annunciator
from agent.annunciation.kinds import FALLBACK, OutputKind
from agent.annunciation.patterns import Annunciation, shipped

__all__ = ["FALLBACK", "Annunciation", "Annunciator", "OutputKind", "shipped"]
