"""Writes to a journal for ever and says what reached the disk: for tests that kill it. usage: writer.py PATH [COUNT]"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from agent.core.clock import SystemClock
from agent.core.model import Alarm, AlarmState, EventDraft, Lane
from agent.journal import Entry, Identity, Journal
from agent.journal import journal as journal_module


def tell(entries: list[Entry]) -> None:
    for body in (entry.envelope() for entry in entries):
        print(body["subject"], body["seq"], flush=True)


def main() -> None:
    journal_module._RETRY_S = 0.1
    clock = SystemClock()
    journal = Journal(Path(sys.argv[1]), Identity("gw", "works", "hall", "0.1"), clock)
    journal.on_commit.append(tell)
    number = 0
    with journal:
        while len(sys.argv) < 3 or number < int(sys.argv[2]):
            number += 1
            draft = EventDraft("test", Lane.ALARM, str(number), {"text": "ä" * 50}, clock.now())
            alarm = Alarm("a", AlarmState.UNACKNOWLEDGED, active=True, count=number)
            journal.record([draft], [alarm])
            time.sleep(0.002)
        deadline_s = time.monotonic() + 30.0
        while journal.stats.in_memory and time.monotonic() < deadline_s:
            time.sleep(0.1)


if __name__ == "__main__":
    main()
