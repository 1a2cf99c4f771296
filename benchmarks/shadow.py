"""What a second model in shadow costs the camera beside which it looks: alone and together, in turns.

Once on all cores and once with both workers held on one, where only their priorities decide who goes first.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from statistics import median, quantiles

from benchmarks.row import Row, ratio_row, row
from benchmarks.watching import YARD, camera_at, cpu_s, read_on, watch
from models.camera import SHADOW_FPS, CameraDriver
from models.session import CameraSession
from models.wire import Report

FPS = 5.0
TURNS, TURN_S, WARM_UP_S = 3, 6.0, 3.0


@dataclass
class Turn:
    """What was seen of the camera, alone or beside a shadow; CPU in seconds, over ``seconds``."""

    reports: list[Report] = field(default_factory=list)
    camera_s: float = 0.0
    shadow_s: float = 0.0
    seconds: float = 0.0

    @property
    def looks_ms(self) -> list[float]:
        """How long each look at a picture took."""
        return [report.took_ms for report in self.reports if report.took_ms]


def rows() -> list[Row]:
    """Measure on all cores, then on one."""
    cores = sorted(os.sched_getaffinity(0))
    return [each for name, on in (("all cores", cores), ("one core", cores[:1])) for each in _told(name, on)]


def _told(on: str, cores: Sequence[int]) -> Iterator[Row]:
    alone, beside = asyncio.run(_measure(cores))
    both = (beside, alone)
    paces = [len(turn.reports) / turn.seconds for turn in both]
    costs = [1000 * turn.camera_s / len(turn.reports) for turn in both]
    looks = [median(turn.looks_ms) for turn in both]
    slow = [quantiles(turn.looks_ms, n=20)[-1] for turn in both]
    yield ratio_row(f"shadow: pictures of the camera beside one, {on}", paces[0], "1/s", paces[1], 0.95)
    yield ratio_row(f"shadow: CPU of such a picture, {on}", costs[0], "ms", costs[1])
    yield ratio_row(f"shadow: a look of the camera, median, {on}", looks[0], "ms", looks[1])
    yield ratio_row(f"shadow: a look of the camera, 95 %, {on}", slow[0], "ms", slow[1])
    shares = [100 * spent_s / turn.seconds for spent_s, turn in ((beside.shadow_s, beside), (alone.camera_s, alone))]
    yield row(f"shadow: CPU of the camera at {FPS:g} 1/s, {on}", shares[1], "% of a core")
    yield row(f"shadow: CPU of the shadow at {SHADOW_FPS:g} 1/s, {on}", shares[0], "% of a core")


async def _measure(cores: Sequence[int]) -> tuple[Turn, Turn]:
    """Return how the camera did alone and beside a shadow."""
    driver = camera_at(YARD, fps=FPS, gate="off")
    camera = await watch(driver)
    reading = asyncio.create_task(read_on(camera))
    alone, beside = Turn(), Turn()
    try:
        os.sched_setaffinity(camera.pid, cores)
        for _ in range(TURNS):
            await _turn(driver, alone, camera, None)
            shadow = await driver.open_shadow(driver.bundle, lambda _: None)
            os.sched_setaffinity(shadow.pid, cores)
            following = asyncio.create_task(read_on(shadow))
            await _turn(driver, beside, camera, shadow)
            following.cancel()
            await shadow.end()
    finally:
        reading.cancel()
        await camera.close()
    return alone, beside


async def _turn(driver: CameraDriver, turn: Turn, camera: CameraSession, shadow: CameraSession | None) -> None:
    await asyncio.sleep(WARM_UP_S)
    sessions = [camera, shadow] if shadow is not None else [camera]
    before = [cpu_s(session) for session in sessions]
    driver.watcher = turn.reports.append
    await asyncio.sleep(TURN_S)
    driver.watcher = lambda _: None
    spent = [cpu_s(session) - first for session, first in zip(sessions, before, strict=True)]
    turn.camera_s += spent[0]
    turn.shadow_s += sum(spent[1:])
    turn.seconds += TURN_S
