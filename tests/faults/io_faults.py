"""Lets one call after another of a journal at work fail, as a dying or a full disk would, and looks at what is left."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import NamedTuple

from agent.core.clock import SystemClock
from agent.journal import Identity, Journal

EVENTS = 60
CALLS = ("pwrite64", "fdatasync", "fsync", "ftruncate", "fallocate", "openat", "unlink")
ERRORS = ("EIO", "ENOSPC")
_FILES = ("", "journal.db", "journal.db-wal", "journal.db-shm", "journal.db-journal", "journal.ballast")
_LONGEST_RUN = 5


class Fault(NamedTuple):
    """Calls number ``first`` to ``last`` of one kind to the journal's files fail."""

    call: str
    error: str
    first: int
    last: int

    def __str__(self) -> str:
        return f"{self.call}:error={self.error}:when={self.first}..{self.last}"


def faults(count: int, seed: int) -> Iterator[Fault]:
    """Yield ``count`` faults, spread over every kind of call that a run makes, and over its whole length."""
    rng, made = Random(seed), _calls()
    for number in range(count):
        call = CALLS[number % len(CALLS)]
        error = ERRORS[number // len(CALLS) % len(ERRORS)]
        first = rng.randint(1, max(1, made[call]))
        yield Fault(call, error, first, first + rng.randrange(_LONGEST_RUN))


def suffer(fault: Fault) -> list[str]:
    """Run a journal under the fault; return what is wrong afterwards."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        try:
            _work(folder, ["-e", f"inject={fault}"])
        except subprocess.TimeoutExpired:
            return ["it hangs"]
        except subprocess.CalledProcessError as error:
            return [f"it ended with status {error.returncode}"]
        return asyncio.run(_look(folder))


def _calls() -> Counter[str]:
    with tempfile.TemporaryDirectory() as place:
        text = _work(Path(place), [])
        return Counter(re.findall(r"^\d+ +(\w+)\(", text, flags=re.MULTILINE))


def _work(folder: Path, more: list[str]) -> str:
    """Run the writer; only calls that are about the journal's files are traced, and can fail."""
    trace = folder / "trace"
    paths = [part for name in _FILES for part in ("-P", str(folder / name) if name else str(folder))]
    tracer = ["strace", "-f", "-qq", "-o", str(trace), *paths, "-e", f"trace={','.join(CALLS)}", *more]
    command = [sys.executable, "-m", "tests.journal.writer", str(folder / "journal.db"), str(EVENTS)]
    subprocess.run([*tracer, *command], check=True, capture_output=True, timeout=60.0)
    return trace.read_text()


async def _look(folder: Path) -> list[str]:
    wrong = []
    with Journal(folder / "journal.db", Identity("gw", "works", "hall", "0.1"), SystemClock()) as journal:
        subjects = [event["subject"] for event in await journal.events(10 * EVENTS)]
        if [it for it in subjects if it.isdecimal()] != [str(number) for number in range(1, EVENTS + 1)]:
            wrong.append(f"events lost, doubled or out of order: {subjects}")
        wrong += await journal.verify()
        wrong += [f"a loss is told: {it}" for it in subjects if not it.isdecimal()]
        ((alarm, _),) = await journal.alarms()
        if alarm.count != EVENTS:
            wrong.append("the alarm's state is not the newest")
    return wrong
