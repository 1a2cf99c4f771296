"""Drivers run as the agent runs them, for a while: a device that is lost is tried again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from agent.cli.field.target import Target
from agent.core.clock import SystemClock
from agent.core.model import Sample
from agent.runner import Runner


async def run(targets: Sequence[Target], ingest: Callable[[Sequence[Sample]], None], for_s: float | None) -> None:
    """Hand every batch to ``ingest``, for ``for_s`` seconds or until cancelled; a driver with a bug is raised."""
    clock = SystemClock()
    runners = [Runner(target.device, target.driver, clock, ingest, lambda *_: None) for target in targets]
    tasks = [asyncio.create_task(runner.run(), name=f"device {runner.device}") for runner in runners]
    try:
        done, _ = await asyncio.wait(tasks, timeout=for_s, return_when=asyncio.FIRST_EXCEPTION)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
