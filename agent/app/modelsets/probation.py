"""Whether a model that took over fares as well as the one before it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from math import asin, sqrt
from pathlib import Path

from agent.core.model import Instant
from models.vitals import Tally, Vitals

SLOWER = 2.0
FEWER, MORE = 0.2, 5.0
CLEAR = 5.0
"""In standard errors. Five, not two: it is asked each second, and people come in groups."""
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
    were, are = before.lately, now.lately
    return _persons(were, are) or next(filter(None, (_share(fact, were, are) for fact in _gear(were, are))), "")


def _persons(were: Tally, are: Tally) -> str:
    """Compare how many persons came in a picture."""
    if not were.pictures or not are.pictures or not were.came["persons"]:
        return ""
    ratio = (are.came["persons"] / are.pictures) / (were.came["persons"] / were.pictures)
    if FEWER <= ratio <= MORE or _rates_apart(were, are) < CLEAR:
        return ""
    return f"it sees {ratio:.1f} times as many persons as the model before"


def _share(fact: str, were: Tally, are: Tally) -> str:
    """Compare of how many of those who came the equipment was missing."""
    old, new = _part(fact, were), _part(fact, are)
    people = (were.came["persons"], are.came["persons"])
    if not all(people) or FEWER * _odds(old) <= _odds(new) <= MORE * _odds(old):
        return ""
    apart = 2 * abs(asin(sqrt(old)) - asin(sqrt(new))) / sqrt(1 / people[0] + 1 / people[1])
    if apart < CLEAR:
        return ""
    return f"it tells {fact} of {new:.0%} of the persons who came, the model before of {old:.0%}"


def _gear(were: Tally, are: Tally) -> list[str]:
    return sorted(fact for fact in {*were.came, *are.came} if fact.startswith("no_"))


def _part(fact: str, tally: Tally) -> float:
    return min(1.0, tally.came[fact] / tally.came["persons"]) if tally.came["persons"] else 0.0


def _odds(share: float) -> float:
    return share / (1 - share) if share < 1 else float("inf")


def _rates_apart(were: Tally, are: Tally) -> float:
    """Return by how many standard errors two rates differ (counts whose variance the square root makes even)."""
    old, new = (sqrt(each.came["persons"] + 0.375) / sqrt(each.pictures) for each in (were, are))
    return 2 * abs(new - old) / sqrt(1 / were.pictures + 1 / are.pictures)
