from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from agent.core.clock import SystemClock
from agent.core.model import EventDraft, Lane
from agent.journal import Identity, Journal
from agent.uplink import Uplink, UplinkOptions

WHO = Identity("gw", "works", "hall", "0.1")


class Gateway:
    """A journal and an uplink on it."""

    def __init__(self, folder: Path, port: int, **options: Any) -> None:
        self.journal = Journal(folder / "journal.db", WHO, SystemClock())
        self.options = UplinkOptions(**{"brokers": (f"mqtt://127.0.0.1:{port}",), **options})

    def record(self, *subjects: str, lane: Lane = Lane.ALARM) -> None:
        now = SystemClock().now()
        self.journal.record([EventDraft("test", lane, subject, {"n": subject}, now) for subject in subjects], ())

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Uplink]:
        uplink = Uplink(self.options, self.journal, WHO, SystemClock())
        task = asyncio.create_task(uplink.run())
        try:
            yield uplink
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def pending(self) -> int:
        return len(await self.journal.pending(100_000))


async def until_empty(gateway: Gateway, limit_s: float = 20.0) -> None:
    async with asyncio.timeout(limit_s):
        while await gateway.pending():
            await asyncio.sleep(0.05)


@pytest.fixture
def fast_backoff(monkeypatch: pytest.MonkeyPatch) -> None:
    """Try again ten times as fast as in the field, so that tests end."""
    from agent import backoff
    from agent.uplink import flight, uplink

    real: Callable[..., Any] = backoff.delays
    for module in (flight, uplink):
        monkeypatch.setattr(module, "delays", lambda first_s=0.5, longest_s=30.0: real(first_s / 10, longest_s / 10))
