"""Compares what the daemon journalled with what the centre received."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

from agent.demo.plant import Plant

_BACKLOG_LIMIT_S = 30.0
_DRAIN_LIMIT_S = 30.0


@dataclass(frozen=True)
class Tally:
    """Counts of events; ``delivered`` and ``lost`` are out of ``journalled``."""

    journalled: int
    delivered: int
    lost: int
    duplicated: int


async def backlog_arrives(plant: Plant, note: Callable[[str, bool, str], None]) -> None:
    """Note whether everything journalled until now arrives, each lane in its order."""
    start_s = time.monotonic()
    wanted = {event["id"] for event in await plant.api.events()}
    missing = await _drain(plant, wanted, _BACKLOG_LIMIT_S)
    received = plant.subscriber.snapshot()
    disorder = received.disorder()
    took_s = time.monotonic() - start_s
    if missing:
        note(
            "backlog", False, f"{len(missing)} of {len(wanted)} events have not arrived {took_s:.0f} s after the return"
        )
    elif disorder:
        note("backlog", False, f"out of order: {'; '.join(disorder[:3])}")
    else:
        detail = f"{received.replayed} late events, the oldest by {received.oldest_s:.0f} s"
        note("backlog", True, f"the backlog arrived complete and in order within {took_s:.1f} s: {detail}")


async def settle(plant: Plant) -> Tally:
    """Wait until everything journalled has arrived, for a while; then count."""
    wanted = {event["id"] for event in await plant.api.events()}
    missing = await _drain(plant, wanted, _DRAIN_LIMIT_S)
    duplicated = plant.subscriber.snapshot().duplicates
    return Tally(len(wanted), len(wanted) - len(missing), len(missing), duplicated)


async def _drain(plant: Plant, wanted: set[str], limit_s: float) -> set[str]:
    """Wait for ``wanted``; return the ids that did not come."""
    until_s = time.monotonic() + limit_s
    while time.monotonic() < until_s:
        if wanted <= plant.subscriber.snapshot().ids:
            return set()
        await asyncio.sleep(0.1)
    return wanted - plant.subscriber.snapshot().ids
