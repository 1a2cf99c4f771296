"""Three cameras in a budget of CPU that is too small for them: do they stay within it, and are they even?

One watches an empty yard, two one full of people, so that their pictures do not cost the same. All without a gate.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from agent.app.vision import VisionBudget
from agent.core.clock import SystemClock
from benchmarks.row import Row, row
from benchmarks.watching import FOOTAGE, camera_at, cpu_s, read_on, watch
from models.session import CameraSession
from rules.engine import Engine

CLIPS = ("yard.mp4", "yard.mp4", "empty.mp4")
CORES, FPS = 0.6, 5.0
WARM_UP_S, SECONDS = 30.0, 30.0


def rows() -> list[Row]:
    """Measure once everything has settled."""
    cores, granted, judged = asyncio.run(_measure())
    return [
        row(f"budget: cores that 3 cameras take of {CORES:g}", cores, "cores", most=CORES),
        row("budget: slowest over quickest, as granted", min(granted) / max(granted), "", least=0.95),
        row("budget: slowest over quickest, as judged", min(judged) / max(judged), "", least=0.9),
        row(f"budget: pictures of {FPS:g} that each is granted", min(granted), "1/s"),
        row("budget: pictures that the slowest judges", min(judged), "1/s"),
    ]


async def _measure() -> tuple[float, Sequence[float], Sequence[float]]:
    """Return the cores taken, and each camera's paces: granted on average, and judged."""
    clock = SystemClock()
    drivers = [camera_at(FOOTAGE / clip, f"camera{n}", fps=FPS, gate="off") for n, clip in enumerate(CLIPS)]
    cameras = {f"camera{n}": driver for n, driver in enumerate(drivers)}
    budget = VisionBudget(CORES, cameras, lambda: Engine(()), clock)
    workers = [await watch(driver) for driver in drivers]
    tasks = [asyncio.create_task(read_on(worker)) for worker in workers]
    tasks.append(asyncio.create_task(budget.run()))
    try:
        await asyncio.sleep(WARM_UP_S)
        before = [_told(worker) for worker in workers]
        began_s, granted = time.monotonic(), [list[float]() for _ in workers]
        while time.monotonic() - began_s < SECONDS:
            await asyncio.sleep(0.5)
            for paces, worker in zip(granted, workers, strict=True):
                paces.append(worker.newest.granted if worker.newest is not None else 0.0)
        passed_s = time.monotonic() - began_s
        after = [_told(worker) for worker in workers]
    finally:
        for task in tasks:
            task.cancel()
        for worker in workers:
            await worker.close()
    means = [sum(paces) / len(paces) for paces in granted]
    spent_s = sum(now[0] - then[0] for now, then in zip(after, before, strict=True))
    judged = [(now[1] - then[1]) / passed_s for now, then in zip(after, before, strict=True)]
    return spent_s / passed_s, means, judged


def _told(worker: CameraSession) -> tuple[float, float]:
    """Return a worker's CPU in seconds, and the pictures that it judged."""
    assert worker.newest is not None
    return cpu_s(worker), float(worker.newest.counters["inferred"])
