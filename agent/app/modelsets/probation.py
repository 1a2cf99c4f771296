"""Whether a model that took over fares as well as the one before it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from agent.core.model import Instant
from models.camera import Vitals

SLOWER = 2.0
FEWER, MORE = 0.2, 5.0
ENOUGH_PICTURES, ENOUGH_PERSONS = 100, 30
_FIRST_PICTURES = 20


@dataclass(frozen=True)
class Before:
    """The model before, and how it fared; ``key`` is empty for the one that ``site.yaml`` names."""

    key: str
    bundle: Path
    vitals: Vitals


@dataclass(frozen=True)
class Probation:
    """A model on probation until ``ends_s`` (monotonic)."""

    key: str
    before: Before
    began: Instant
    ends_s: float


def complaint(before: Vitals, now: Vitals) -> str:
    """Return what speaks against the model at work, or nothing."""
    if now.starts > 1 or now.failed_starts:
        return "its worker died"
    if now.faults:
        return "it gave no sound answer"
    if now.judged >= _FIRST_PICTURES and 0 < SLOWER * before.latency_ms < now.latency_ms:
        return f"a picture takes {now.latency_ms:.0f} ms, not {before.latency_ms:.0f} ms"
    if before.persons < ENOUGH_PERSONS or min(before.judged, now.judged) < ENOUGH_PICTURES:
        return ""
    ratio = (now.persons / now.judged) / (before.persons / before.judged)
    return "" if FEWER <= ratio <= MORE else f"it sees {ratio:.1f} times as many persons as the model before"
