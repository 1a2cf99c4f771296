"""A camera that is watched by a worker, for the benchmarks of vision: opened, read and asked what it cost."""

from __future__ import annotations

from pathlib import Path

import psutil

from agent.core.clock import SystemClock
from models import CAMERA
from models.camera import CameraDriver
from models.session import CameraSession

FOOTAGE = Path(__file__).parents[1] / "agent/demo/footage"
YARD = FOOTAGE / "yard.mp4"


def camera_at(clip: Path, name: str = "gate", /, **options: object) -> CameraDriver:
    """Return the driver of a camera that plays ``clip``, with these keys of the site file; nothing is started."""
    driver = CAMERA.build(name, CAMERA.device.model_validate({"source": str(clip), **options}), {}, SystemClock())
    assert isinstance(driver, CameraDriver)
    return driver


async def watch(driver: CameraDriver) -> CameraSession:
    """Start its worker and return once the model is loaded. Raises NotConnected."""
    session = await driver.connect()
    assert isinstance(session, CameraSession)
    return session


async def read_on(session: CameraSession) -> None:
    """Read until the task is cancelled, as the runner does. Raises NotConnected when the worker ends."""
    while True:
        await session.read()


def cpu_s(session: CameraSession) -> float:
    """Return the CPU seconds that the worker took since it began."""
    times = psutil.Process(session.pid).cpu_times()
    return float(times.user + times.system)
