"""The OPC UA driver: what it knows before it connects."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Mapping

from agent.core.model import PointInfo
from agent.core.ports import Clock, Session
from drivers.opcua.device import OpcUaDevice
from drivers.opcua.options import OpcUaPoint


class OpcUaDriver:
    """One server. See ``agent.core.ports.Driver``."""

    def __init__(self, device_id: str, device: OpcUaDevice, points: Mapping[str, OpcUaPoint], clock: Clock) -> None:
        self._device = device
        self._clock = clock
        self._options = {f"{device_id}.{name}": point for name, point in points.items()}
        self.points = [
            PointInfo(id_, point.unit, point.zone, point.description, point.writable, point.stale_after)
            for id_, point in self._options.items()
        ]

    async def connect(self) -> Session:
        """Connect anew. The library is loaded beside the loop, so that other devices are read meanwhile."""
        client = await asyncio.to_thread(importlib.import_module, "drivers.opcua.client")
        session: Session = await client.open_session(self._device, self._options, self._clock)
        return session
