"""Drivers run as the agent runs them, for a while: a device that is lost is tried again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from agent.cli.field.target import Target
from agent.core.clock import SystemClock
from agent.core.model import Sample
from agent.runner import Runner


async def run(targets: Sequence[Target], ingest: Callable[[Sequence[Sample]], None], for_s: float | None) -> None:
    """Hand every batch to ``ingest``, for ``for_s`` seconds or until cancelled.

    A driver with a bug is raised, and what ``ingest`` raises when its file or pipe takes no more (OSError).
    """
    clock, full = SystemClock(), asyncio.get_running_loop().create_future()

    def take(samples: Sequence[Sample]) -> None:
        try:
            if not full.done():
                ingest(samples)
        except OSError as error:  # not the device's fault
            full.set_exception(error)

    runners = [Runner(target.device, target.driver, clock, take, lambda *_: None) for target in targets]
    tasks = [asyncio.create_task(runner.run(), name=f"device {runner.device}") for runner in runners]
    try:
        done, _ = await asyncio.wait([full, *tasks], timeout=for_s, return_when=asyncio.FIRST_EXCEPTION)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        full.cancel()
        await asyncio.gather(full, *tasks, return_exceptions=True)
