"""Thirty swaps of a camera's model: memory, the longest gap in its facts, and how late another device's poll is."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import psutil
import yaml

from agent.core.clock import SystemClock
from agent.core.model import Quality, Sample
from agent.runner import Runner
from benchmarks.row import Row, row
from benchmarks.watching import YARD, camera_at
from models.options import BUNDLED

SWAPS = 30
POLL_S = 0.02


def rows() -> list[Row]:
    """Return what the swaps cost."""
    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(_measure(_other(Path(folder) / "other")))


async def _measure(other: Path) -> list[Row]:
    driver = camera_at(YARD)
    good_s: list[float] = []

    def ingest(batch: Sequence[Sample]) -> None:
        good_s.extend(
            each.received_s for each in batch if each.point == "gate.persons" and each.quality is Quality.GOOD
        )

    late_s: list[float] = []
    runner = Runner("gate", driver, SystemClock(), ingest, lambda *_: None)
    tasks = [asyncio.create_task(runner.run()), asyncio.create_task(_poll(late_s))]
    while not good_s:
        await asyncio.sleep(0.1)
    bundles = (other, BUNDLED / "ppe")
    for turn in range(2):  # what is loaded once does not count
        await driver.swap(bundles[turn])
    await asyncio.sleep(2.0)
    before = _memory()
    late_s.clear()
    good_s.clear()
    for turn in range(SWAPS):
        await driver.swap(bundles[turn % 2])
    await asyncio.sleep(2.0)
    after = _memory()
    for task in tasks:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
    gaps = [later - sooner for sooner, later in pairwise(good_s)]
    return [
        row(f"model swap: memory of the agent after {SWAPS} swaps", after[0] - before[0], "MB more", most=10),
        row(f"model swap: memory of the worker after {SWAPS} swaps", after[1] - before[1], "MB more", most=10),
        row("model swap: longest time between two good facts", max(gaps), "s", most=1),
        row("model swap: longest delay of another device's poll", max(late_s) * 1000, "ms", most=50),
    ]


async def _poll(late_s: list[float]) -> None:
    while True:
        due_s = time.monotonic() + POLL_S
        await asyncio.sleep(POLL_S)
        late_s.append(time.monotonic() - due_s)


def _memory() -> tuple[float, float]:
    """Return MB of this process, and of its workers together."""
    agent = psutil.Process()
    return agent.memory_info().rss / 1e6, sum(child.memory_info().rss for child in agent.children()) / 1e6


def _other(folder: Path) -> Path:
    """Return a second bundle: the same networks with another version and limit."""
    shutil.copytree(BUNDLED / "ppe", folder)
    manifest = yaml.safe_load((folder / "manifest.yaml").read_text())
    manifest["version"], manifest["detector"]["nms_iou"] = "9.0.1", 0.55
    (folder / "manifest.yaml").write_text(yaml.safe_dump(manifest, allow_unicode=True))
    return folder
