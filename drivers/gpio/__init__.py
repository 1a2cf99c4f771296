"""GPIO lines of the PC itself: an acknowledge button, a lamp, a relay."""

from __future__ import annotations

from collections.abc import Mapping

from agent.core.ports import Clock, Driver, DriverType
from drivers.gpio.options import GpioDevice, GpioPoint


def _build(device_id: str, device: GpioDevice, points: Mapping[str, GpioPoint], clock: Clock) -> Driver:
    from drivers.gpio.driver import GpioDriver  # libgpiod is loaded by those who have such a device

    return GpioDriver(device_id, device, points, clock)


GPIO = DriverType("gpio", GpioDevice, GpioPoint, _build)
