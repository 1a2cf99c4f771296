"""A gateway with a large backlog: journal and uplink are the real ones. Says how it goes once a second.

usage: python -m benchmarks.drain_edge FOLDER PORT RATE SECONDS; RATE is ``replay_rate``. Ends after so many seconds, or
when nothing waits any more.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from agent.core.clock import SystemClock
from agent.core.model import EventDraft, Lane
from agent.journal import Identity, Journal, JournalOptions
from agent.journal.store import Store
from agent.uplink import Uplink, UplinkOptions

WHO = Identity("gw", "works", "hall", "0.1")
_OPTIONS = JournalOptions(max_mb=50_000)
_BATCH = 500


def fill(folder: Path, rows: int) -> None:
    """Write a backlog of telemetry, as if the uplink had been away for days."""
    store, clock = Store(folder / "journal.db", WHO), SystemClock()
    for drafts in _drafts(rows, clock):
        store.append(store.compose(drafts), ())
    store.close()


def _drafts(rows: int, clock: SystemClock) -> Iterator[list[EventDraft]]:
    for first in range(0, rows, _BATCH):
        data, now = {"values": [[number, 41.5] for number in range(20)], "text": "x" * 200}, clock.now()
        yield [EventDraft("bench", Lane.TELEMETRY, "gas", data, now)] * min(_BATCH, rows - first)


async def run(folder: Path, port: int, rate: int, seconds: float) -> None:
    """Drain; raise a live alarm every second. Prints seconds, rows sent, resident MB and CPU seconds."""
    clock = SystemClock()
    options = UplinkOptions(brokers=(f"mqtt://127.0.0.1:{port}",), replay_rate=rate)
    with Journal(folder / "journal.db", WHO, clock, options=_OPTIONS) as journal:
        await journal.settled()
        uplink = Uplink(options, journal, WHO, clock)
        task = asyncio.create_task(uplink.run(), name="uplink")
        began_s, waiting = time.monotonic(), 1
        while waiting and not task.done() and time.monotonic() - began_s < seconds:
            alarm = {"sent_ns": time.time_ns()}
            journal.record([EventDraft("bench", Lane.ALARM, "gas.HH", alarm, clock.now())], ())
            await asyncio.sleep(1.0)
            waiting = len(await journal.pending(1))
            figures = (time.monotonic() - began_s, uplink.status.sent, _resident_mb(), time.process_time())
            print("at", *(f"{figure:.1f}" for figure in figures), flush=True)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def _resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


if __name__ == "__main__":
    asyncio.run(run(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])))
