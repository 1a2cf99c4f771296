"""Cuts the power of a journal at work, thousands of times, and looks at what each start finds."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import structlog

from agent.journal import Journal
from tests.faults.disk import Op, Told, cuts
from tests.faults.recording import record
from tests.faults.writer import open_journal

log = structlog.get_logger(__name__)

MEMORY = Path("/dev/shm")
"""The states are made in memory: thousands of starts would wait for the disk for an hour."""
_MOST = 100_000


@dataclass(frozen=True)
class Promises:
    """What was told before the power went: alarms up to ``kept`` are on the disk, up to ``sending`` may be sent."""

    kept: int = 0
    sending: int = 0


def record_work(events: int) -> list[Op]:
    """Return what a journal does to its disk while it takes ``events`` alarms."""
    with tempfile.TemporaryDirectory(dir=MEMORY) as place:
        folder = Path(place) / "state"
        folder.mkdir()
        command = [sys.executable, "-m", "tests.faults.writer", str(folder), str(events)]
        return record(command, folder, Path(place) / "trace")


def cut_power(ops: Sequence[Op], states: int, seed: int) -> Counter[str]:
    """Start a journal from ``states`` disks that a cut may leave, and count what is wrong; ``starts`` counts all."""
    found: Counter[str] = Counter()
    with tempfile.TemporaryDirectory(dir=MEMORY) as place:
        for number, (cut, files) in enumerate(cuts(ops, states, Random(seed))):
            folder = Path(place) / str(number)
            folder.mkdir()
            for name, content in files.items():
                if not name.endswith("-shm"):  # mapped memory: its content is not on any disk
                    (folder / name).write_bytes(content)
            found.update(["starts", *asyncio.run(_start(folder, _promises(ops[:cut])))])
            for path in folder.iterdir():
                path.unlink()
    return found


def _promises(ops: Sequence[Op]) -> Promises:
    told = "".join(op.text for op in ops if isinstance(op, Told)).split("\n")[:-1]
    kept = [int(line.split()[1]) for line in told if line.startswith("kept")]
    sending = [int(line.split()[1]) for line in told if line.startswith("sending")]
    return Promises(max(kept, default=0), max(sending, default=0))


async def _start(folder: Path, promised: Promises) -> list[str]:
    """Return what is wrong with a start."""
    with open_journal(folder) as journal:
        try:
            async with asyncio.timeout(20.0):
                await journal.settled()
                return [*_faults(await _state(journal), promised)]
        except (TimeoutError, sqlite3.Error) as error:
            log.error("no start", reason=str(error))
            return ["no start"]


@dataclass(frozen=True)
class State:
    """What a start found: alarms by number, on the disk and waiting; how often the saved alarm came; what is wrong."""

    alarms: frozenset[int]
    waiting: frozenset[int]
    count: int
    broken: Sequence[str]


async def _state(journal: Journal) -> State:
    events, saved = await journal.events(_MOST), await journal.alarms()
    rows = [json.loads(row.body) for row in await journal.pending(_MOST) if row.lane == "alarm"]
    broken = [*await journal.verify(), *(str(it["data"]) for it in events if it["subject"] == "journal")]
    return State(_numbers(events), _numbers(rows), saved[0][0].count if saved else 0, broken)


def _numbers(bodies: Sequence[Mapping[str, Any]]) -> frozenset[int]:
    return frozenset(int(body["subject"]) for body in bodies if body["subject"].isdecimal())


def _faults(found: State, promised: Promises) -> Iterator[str]:
    """Yield what was promised and is not so. Alarms that may have been sent may have been deleted too."""
    owed = set(range(promised.sending + 1, promised.kept + 1))
    if owed - found.alarms:
        yield "acknowledged events lost"
    if owed - found.waiting:
        yield "acknowledged events that will never be sent"
    if found.count < promised.kept or found.count not in {*found.alarms, 0, *range(promised.sending + 1)}:
        yield "alarm states apart from their events"
    if found.broken:
        yield "damaged files"
