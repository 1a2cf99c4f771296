"""The Modbus driver: what it knows before it connects, and how it connects."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping

from pymodbus import FramerType
from pymodbus.client import AsyncModbusTcpClient

from agent.core.errors import NotConnected
from agent.core.model import PointInfo
from agent.core.ports import Clock, Session
from drivers.modbus.codec import Codec
from drivers.modbus.options import ModbusDevice, ModbusPoint
from drivers.modbus.plan import Span
from drivers.modbus.session import ModbusSession, Wired

logging.getLogger("pymodbus").setLevel(logging.CRITICAL + 1)  # what it reports reaches the caller as an error


class ModbusDriver:
    """One unit behind a TCP endpoint. See ``agent.core.ports.Driver``."""

    def __init__(self, device_id: str, device: ModbusDevice, points: Mapping[str, ModbusPoint], clock: Clock) -> None:
        self._device = device
        self._clock = clock
        stale_s = max(3 * device.poll, device.poll + device.timeout)
        self.points = [_info(f"{device_id}.{name}", point, stale_s) for name, point in points.items()]
        self._wired = {f"{device_id}.{name}": _wire(f"{device_id}.{name}", point) for name, point in points.items()}

    async def connect(self) -> Session:
        """Open a fresh connection; an old client is never used again."""
        device = self._device
        client = AsyncModbusTcpClient(
            device.host,
            port=device.port,
            framer=FramerType.SOCKET,
            timeout=device.timeout,
            retries=0,
            reconnect_delay=0,
        )
        try:
            async with asyncio.timeout(device.timeout):
                connected = await client.connect()
        except (TimeoutError, UnicodeError):  # the latter for a host that is no name at all
            connected = False
        if not connected:
            client.close()
            raise NotConnected(f"no connection to {device.host}:{device.port}; is it on, and are host and port right?")
        return ModbusSession(client, device, self._wired, self._clock)


def _wire(point_id: str, point: ModbusPoint) -> Wired:
    span = Span(point.address.table, point.address.offset, point.count, point_id)
    return Wired(point, Codec(point), span)


def _info(point_id: str, point: ModbusPoint, stale_s: float) -> PointInfo:
    stale_after_s = stale_s if point.stale_after is None else point.stale_after
    return PointInfo(point_id, point.unit, point.zone, point.description, point.writable, stale_after_s)
