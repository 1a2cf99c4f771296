"""A journal at work: alarms, telemetry in a small lane, rows sent and deleted. usage: writer.py FOLDER COUNT

Says on stdout what others may rely on: ``kept N`` once alarm N is on the disk, ``sending N`` before rows up to N
are taken for sent.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

from agent.core.clock import SystemClock
from agent.core.model import Alarm, AlarmState, EventDraft, Lane
from agent.journal import Entry, Identity, Journal, JournalOptions, Row
from agent.journal.store import Store

WHO = Identity("gw", "works", "hall", "0.1")
OPTIONS = JournalOptions(max_mb=16, ballast_mb=8, shares={Lane.TELEMETRY: 0.002}, keep=0)
_TEXT = "ä" * 400


def open_journal(folder: Path) -> Journal:
    """Return the journal as the writer has it."""
    return Journal(folder / "journal.db", WHO, SystemClock(), options=OPTIONS)


def tell(entries: list[Entry]) -> None:
    """Say which alarms are on the disk."""
    for body in (entry.envelope() for entry in entries):
        if body["subject"].isdecimal():
            print(f"kept {body['subject']}", flush=True)


def _highest(rows: list[Row]) -> int:
    """Return the largest number of an alarm among them; losses have none."""
    subjects = [json.loads(row.body)["subject"] for row in rows]
    return max((int(subject) for subject in subjects if subject.isdecimal()), default=0)


async def work(journal: Journal, count: int) -> None:
    """Record alarms one by one, each with telemetry, and send half of them."""
    clock = SystemClock()
    for number in range(1, count + 1):
        data = {"text": _TEXT}
        events = [EventDraft("test", Lane.ALARM, str(number), data, clock.now())]
        events += [EventDraft("test", Lane.TELEMETRY, "level", data, clock.now()) for _ in range(number % 4)]
        alarm = Alarm("a", AlarmState.UNACKNOWLEDGED, active=True, count=number)
        journal.record(events, [alarm])
        await journal.settled()
        if number % 8 == 0:
            rows = [row for row in await journal.pending(6) if row.lane == "alarm"]
            print(f"sending {_highest(rows)}", flush=True)
            await journal.mark_sent(rows)
        if number % 40 == 0:
            await journal._ask(Store.empty_log)
        if number % 60 == 0:
            await journal._ask(lambda store: store.prune(0.0))


def main() -> None:
    """Work, and end in order."""
    journal = open_journal(Path(sys.argv[1]))
    journal.on_commit.append(tell)
    with journal:
        asyncio.run(work(journal, int(sys.argv[2])))


if __name__ == "__main__":
    main()
