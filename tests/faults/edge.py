"""Journal and uplink alone, as the agent has them: small enough to be killed every half second.

usage: edge.py FOLDER PORT. Says ``kept ID`` on stdout for each event that is on the disk.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

from agent.core.clock import SystemClock
from agent.core.model import EventDraft, Lane
from agent.journal import Entry, Identity, Journal
from agent.uplink import Uplink, UplinkOptions

WHO = Identity("gw", "works", "hall", "0.1")
_EVERY_S = 0.02


def tell(entries: list[Entry]) -> None:
    """Say what is on the disk."""
    sys.stdout.write("".join(f"kept {json.loads(entry.body)['id']}\n" for entry in entries))
    sys.stdout.flush()


async def work(journal: Journal, port: int) -> None:
    """Record for ever, and send."""
    clock = SystemClock()
    uplink = Uplink(UplinkOptions(brokers=(f"mqtt://127.0.0.1:{port}",)), journal, WHO, clock)
    async with asyncio.TaskGroup() as group:
        group.create_task(uplink.run(), name="uplink")
        while True:
            journal.record([EventDraft("test", Lane.ALARM, "gas.HH", {"text": "x" * 200}, clock.now())], ())
            await asyncio.sleep(_EVERY_S)


def main() -> None:
    """Work until killed."""
    journal = Journal(Path(sys.argv[1]) / "journal.db", WHO, SystemClock())
    journal.on_commit.append(tell)
    with journal:
        asyncio.run(work(journal, int(sys.argv[2])))


if __name__ == "__main__":
    main()
