"""Many light gateways in one process: journal and uplink of each are the real ones, plant and rules are left out.

usage: python -m benchmarks.fleet_agents PORT FIRST COUNT EVERY_S
"""

from __future__ import annotations

import asyncio
import random
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from agent.core.clock import SystemClock
from agent.core.model import EventDraft, Lane
from agent.journal import Identity, Journal
from agent.uplink import Uplink, UplinkOptions

_TEXT = "x" * 300
"""With its envelope an event is then about as large as an alarm's: 900 bytes."""


async def gateway(journal: Journal, who: Identity, port: int, every_s: float) -> None:
    """Send an event every ``every_s`` seconds, for ever; gateways do not beat in step."""
    clock = SystemClock()
    uplink = Uplink(UplinkOptions(brokers=(f"mqtt://127.0.0.1:{port}",)), journal, who, clock)
    async with asyncio.TaskGroup() as group:
        group.create_task(uplink.run(), name=f"{who.gateway}.uplink")
        await asyncio.sleep(random.uniform(0, every_s))
        while True:
            data = {"text": _TEXT, "sent_ns": time.time_ns()}
            journal.record([EventDraft("fleet", Lane.ALARM, "gas.HH", data, clock.now())], ())
            await asyncio.sleep(every_s)


async def run(port: int, first: int, count: int, every_s: float) -> None:
    """Run gateways number ``first`` to ``first + count - 1`` until killed; their journals are in memory."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as place, ExitStack() as open_journals:
        async with asyncio.TaskGroup() as group:
            for number in range(first, first + count):
                who = Identity(f"gw{number:05}", "works", "hall", "0.1")
                path = Path(place) / who.gateway / "journal.db"
                journal = open_journals.enter_context(Journal(path, who, SystemClock()))
                group.create_task(gateway(journal, who, port, every_s), name=who.gateway)


if __name__ == "__main__":
    broker_port, first_number, gateways = map(int, sys.argv[1:4])
    asyncio.run(run(broker_port, first_number, gateways, float(sys.argv[4])))
