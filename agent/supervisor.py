"""Keeps leaves alive. A leaf that dies is restarted with back-off; its death is logged and counted, never hidden."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import structlog

from agent.backoff import delays

log = structlog.get_logger(__name__)

_HEALTHY_AFTER_S = 60.0
"""A leaf that lived this long starts its back-off anew."""


@dataclass
class Leaf:
    """One task that runs for ever. ``restarts`` and ``last_error`` tell what became of it."""

    name: str
    run: Callable[[], Awaitable[None]]
    restarts: int = 0
    last_error: str = ""


async def supervise(leaf: Leaf) -> None:
    """Run ``leaf`` until cancelled, and start it again whenever it ends or fails."""
    waits, loop = delays(longest_s=10.0), asyncio.get_running_loop()
    while True:
        started_s = loop.time()
        try:
            await leaf.run()
            leaf.last_error = "it returned, which it never should"
        except Exception as error:
            leaf.last_error = f"{type(error).__name__}: {error}"
            log.error("task died", task=leaf.name, exc_info=error)
        leaf.restarts += 1
        if loop.time() - started_s > _HEALTHY_AFTER_S:
            waits = delays(longest_s=10.0)
        log.warning("task restarts", task=leaf.name, error=leaf.last_error, restarts=leaf.restarts)
        await asyncio.sleep(next(waits))


@asynccontextmanager
async def scope(leaves: Iterable[Leaf]) -> AsyncIterator[None]:
    """Run ``leaves`` for as long as the body runs; then cancel them and wait until they have cleaned up."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(supervise(leaf), name=leaf.name) for leaf in leaves]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
