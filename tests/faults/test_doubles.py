"""Who is killed in the middle of a drain sends no more twice than was on its way."""

from __future__ import annotations

import random
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from agent.core.clock import SystemClock
from agent.core.model import EventDraft, Lane
from agent.journal import Journal
from tests.fakes import until
from tests.faults.edge import WHO
from tests.servers.process import Server
from tests.servers.subscriber import Subscriber

pytestmark = pytest.mark.server
_WINDOW = 10
_KILLS = 5
_ROWS = 4_000


def _fill(path: Path) -> None:
    clock = SystemClock()
    with Journal(path, WHO, clock) as journal:
        journal.record([EventDraft("test", Lane.ALARM, "old", {"text": "x" * 200}, clock.now())] * _ROWS, ())


def _has(centre: Subscriber, count: int) -> bool:
    return len(centre.arrivals) >= count


async def test_a_kill_in_the_middle_of_a_drain_doubles_no_more_than_the_window(tmp_path: Path, broker: Server) -> None:
    _fill(tmp_path / "journal.db")
    rng = random.Random(0)
    command = [sys.executable, "-m", "tests.faults.edge", str(tmp_path), str(broker.port)]
    doubles: list[int] = []
    with Subscriber(broker.port, quick=True) as centre:
        for _ in range(_KILLS):
            enough = len(centre.arrivals) + rng.randint(50, 450)
            edge = subprocess.Popen(command, stdout=subprocess.DEVNULL)
            try:
                await until(partial(_has, centre, enough), 30.0)
            finally:
                edge.kill()
                edge.wait()
            ids = [arrival.body["id"] for arrival in centre.events()]
            doubles.append(len(ids) - len(set(ids)) - sum(doubles))
    assert len(set(ids)) < _ROWS, "the last kill came after the drain"
    assert max(doubles) <= _WINDOW, doubles
