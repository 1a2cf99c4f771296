"""Cameras for tests."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from agent.core.clock import SystemClock
from agent.core.model import Sample
from models import CAMERA
from models.camera import CameraDriver
from models.session import CameraSession

FOOTAGE = Path(__file__).parents[2] / "agent/demo/footage"
YARD = FOOTAGE / "yard.mp4"
ZONES = {"yard": {"polygon": [[0, 0.2], [1, 0.2], [1, 1], [0, 1]], "demand": ["helmet"]}}


def camera(source: Path | str = YARD, **options: Any) -> CameraDriver:
    """Return a camera called ``gate``."""
    device = CAMERA.device.model_validate({"source": str(source), "zones": ZONES, **options})
    driver = CAMERA.build("gate", device, {}, SystemClock())
    assert isinstance(driver, CameraDriver)
    return driver


@asynccontextmanager
async def connected(driver: CameraDriver) -> AsyncIterator[CameraSession]:
    """Give a live session and close it."""
    session = await driver.connect()
    assert isinstance(session, CameraSession)
    try:
        yield session
    finally:
        await session.close()


Facts = Mapping[str, Sample]


async def read_until(session: CameraSession, enough: Callable[[Facts], bool], limit_s: float = 10.0) -> Facts:
    """Read batches until one is ``enough``, and return it by point; fail after ``limit_s``."""
    batch: Facts = {}
    until_s = time.monotonic() + limit_s
    while time.monotonic() < until_s:
        batch = {sample.point: sample for sample in await session.read()}
        if batch and enough(batch):
            return batch
    raise AssertionError(f"not seen within {limit_s} s; last: {batch}")


def sees(facts: Facts) -> bool:
    """Tell whether the camera is trusted."""
    return facts["gate.camera_ok"].value is True


def is_blind(facts: Facts) -> bool:
    """Tell whether the camera says that it is blind."""
    return facts["gate.camera_ok"].value is False


async def gone(pid: int, limit_s: float = 3.0) -> bool:
    """Tell whether the process ends within ``limit_s``; a zombie has ended."""
    until_s = time.monotonic() + limit_s
    while time.monotonic() < until_s:
        stat = Path(f"/proc/{pid}/stat")
        if not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] == "Z":
            return True
        await asyncio.sleep(0.02)
    return False
