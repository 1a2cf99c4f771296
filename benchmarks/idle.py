"""What the agent takes while nothing happens: no camera, 200 points at 1 s."""

from __future__ import annotations

import asyncio
import sqlite3
import tempfile
import time
from datetime import datetime
from pathlib import Path

from agent.demo.usage import CpuMeter, rss_mb
from benchmarks.plant import Plant, running
from benchmarks.row import Row, row

WATCH_S = 20.0


def rows() -> list[Row]:
    """Return resident memory, processor share, and the time from start to the first poll."""
    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(_measure(Path(folder)))


async def _measure(folder: Path) -> list[Row]:
    async with running(folder, camera=False) as plant:
        await plant.agent.stop()
        _slow_down(folder / "site.yaml")
        started = time.time()
        await plant.agent.start()
        await plant.until_up()
        first_poll_s = _first_online(folder / "state" / "journal.db", started) - started
        await asyncio.sleep(3.0)
        share = await _cpu_share(plant)
        return [
            row("idle: resident memory", rss_mb(plant.agent.pid) or 0.0, "MB", most=120),
            row("idle: share of a core, 200 points at 1 s", share, "%", most=3),
            row("idle: start to first poll", first_poll_s, "s", most=2),
        ]


async def _cpu_share(plant: Plant) -> float:
    meter = CpuMeter(plant.agent.pid)
    await asyncio.sleep(WATCH_S)
    return meter.own() or 0.0


def _slow_down(site: Path) -> None:
    text = (
        site.read_text(encoding="utf-8").replace("poll: 100ms", "poll: 1s").replace("sampling: 100ms", "sampling: 1s")
    )
    site.write_text(text, encoding="utf-8")


def _first_online(journal: Path, started: float) -> float:
    """Return when the boiler was first read after ``started``, by the journal's own record."""
    db = sqlite3.connect(journal)
    try:
        query = "SELECT json_extract(body, '$.time') FROM event WHERE kind = 'device.state' ORDER BY seq DESC LIMIT 10"
        times = [datetime.fromisoformat(text).timestamp() for (text,) in db.execute(query)]
    finally:
        db.close()
    return min(moment for moment in times if moment >= started)
