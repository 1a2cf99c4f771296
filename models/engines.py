"""What runs a bundle's networks: a provider and a precision; and which of those that were tried is taken. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from models.bundle import FULL
from models.providers import AUTO, PACKAGES, Provider

SAME = 0.95
"""Share of what either precision finds that both must find alike."""
WORTHWHILE = 0.9
"""Another precision is taken only if a picture takes less than this share of the time: rounding is not for nothing."""


@dataclass(frozen=True, slots=True)
class Engine:
    """How the networks are run."""

    provider: Provider = Provider.CPU
    precision: str = FULL

    def __str__(self) -> str:
        return f"{self.provider} {self.precision}"


SAFE = Engine()
"""What every machine has, and what the golden answers were made with."""


@dataclass(frozen=True, slots=True)
class Tried:
    """How an engine did on the golden pictures: ``look_ms`` per picture, ``alike`` as SAFE sees them (0 to 1).

    ``fault`` says in words why it cannot be taken.
    """

    engine: Engine
    look_ms: float = 0.0
    alike: float = 1.0
    fault: str = ""


@dataclass(frozen=True, slots=True)
class Chosen:
    """What a camera's networks run on. ``reason`` says what was wanted and is not to be had; empty when all is well."""

    engine: Engine = SAFE
    reason: str = ""


def choose(tried: Sequence[Tried], wanted: str = AUTO) -> Chosen:
    """Return the engine for a camera: the first provider that is fit, in the precision that is worth it."""
    safe = next((each for each in tried if each.engine == SAFE), Tried(SAFE))
    faults: list[str] = []
    for provider in Provider:
        if wanted not in (AUTO, provider) and provider is not Provider.CPU:
            continue
        own = [each for each in tried if each.engine.provider is provider]
        fit = [each for each in own if not complaint(each, safe)]
        if not fit:
            faults += [f"{each.engine}: {complaint(each, safe)}" for each in own]
            continue
        return Chosen(_worth(fit), "; ".join([*_missed(wanted, provider, tried), *faults]))
    return Chosen(SAFE, "; ".join([*_missed(wanted, Provider.CPU, tried), *faults]))


def complaint(tried: Tried, safe: Tried) -> str:
    """Return why an engine is not taken, or nothing."""
    if tried.fault or tried.engine == SAFE:
        return tried.fault
    if tried.alike < SAME:
        return f"it sees {tried.alike:.0%} of what {SAFE} sees, at least {SAME:.0%} must be alike"
    if tried.look_ms > safe.look_ms:
        return f"a picture takes {tried.look_ms:.0f} ms, {safe.look_ms:.0f} ms on {SAFE}"
    return ""


def _worth(fit: Sequence[Tried]) -> Engine:
    """Return full precision unless another one is faster by enough."""
    full = next((each for each in fit if each.engine.precision == FULL), None)
    best = min(fit, key=lambda each: each.look_ms)
    return full.engine if full and best.look_ms > WORTHWHILE * full.look_ms else best.engine


def _missed(wanted: str, got: Provider, tried: Sequence[Tried]) -> list[str]:
    if wanted in (AUTO, got) or any(each.engine.provider == wanted for each in tried):
        return []
    return [f"{wanted} was not tried; install {PACKAGES[Provider(wanted)]} (docs/accelerators.md)"]


def engine_of(saved: Mapping[str, Any]) -> Engine:
    """Return what ``asdict`` made of one; SAFE of nothing. Raises KeyError or ValueError for anything else."""
    return Engine(Provider(saved["provider"]), str(saved["precision"])) if saved else SAFE


def tried_of(saved: Sequence[Mapping[str, Any]]) -> tuple[Tried, ...]:
    """Return what ``asdict`` made of some. Raises KeyError, TypeError or ValueError for anything else."""
    return tuple(
        Tried(
            engine_of(each["engine"]),
            float(each["look_ms"]),
            float(each["alike"]),
            str(each["fault"]),
        )
        for each in saved
    )
