"""A second model ends when its time is over, its worker dies, or something is wrong with the comparison itself."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest

from agent.app.modelsets.comparison import Comparison
from agent.app.modelsets.shadowing import Plan, Shadow
from agent.core.clock import SystemClock
from agent.core.errors import NotConnected
from agent.core.model import Operator
from models.session import CameraSession
from models.wire import Report


class FakeSession:
    """A worker that reports until it dies, after ``lives`` reports."""

    def __init__(self, lives: int) -> None:
        self.lives, self.is_ended = lives, False
        self.reports: Callable[[Report], None] = lambda _: None

    async def read(self) -> list[object]:
        await asyncio.sleep(0.01)
        if not self.lives:
            raise NotConnected("the vision worker was killed by signal 9")
        self.lives -= 1
        self.reports(Report("", 5, 1.0, {"persons": 1.0}))
        return []

    async def end(self) -> None:
        self.is_ended = True


class FakeDriver:
    def __init__(self, lives: int) -> None:
        self.session = FakeSession(lives)
        self.watcher: Callable[[Report], None] = lambda _: None

    def picture(self) -> bytes | None:
        return None

    async def open_shadow(self, bundle: Path, keep: Callable[[bytes | None], None]) -> CameraSession:
        return cast(CameraSession, self.session)


async def ended(driver: FakeDriver, for_s: float) -> Shadow:
    shadow = Shadow(Plan("gate", "ppe/9.0.1", "", for_s, Operator("li", "cli")), driver, SystemClock())
    await shadow.start(Path())
    async with asyncio.timeout(5):
        while not shadow.is_over:
            driver.watcher(Report("", 5, 1.0, {"persons": 1.0}))
            await asyncio.sleep(0.01)
    await shadow.stop("somebody wanted it")
    assert driver.session.is_ended and shadow.row()["left_s"] == 0
    return shadow


async def test_it_ends_when_its_time_is_over_or_its_worker_dies() -> None:
    assert (await ended(FakeDriver(lives=1000), 0.1)).ended == "its time is over"
    assert (await ended(FakeDriver(lives=3), 60)).ended == "the vision worker was killed by signal 9"


async def test_a_fault_of_the_comparison_harms_only_the_shadow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Comparison, "at_work", lambda *_: 1 / 0)
    driver = FakeDriver(lives=1000)
    assert (await ended(driver, 60)).ended.startswith("it failed: ZeroDivisionError")
    driver.watcher(Report("", 5, 1.0, {"persons": 1.0}))  # as the camera at work does: nobody listens any more
