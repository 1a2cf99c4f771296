"""The OPC UA driver: what it knows before it connects, and which of its endpoints it takes."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Mapping
from typing import TYPE_CHECKING

from agent.core.errors import NotConnected
from agent.core.model import PointInfo
from agent.core.ports import Clock, Session
from drivers.opcua.device import OpcUaDevice
from drivers.opcua.options import OpcUaPoint

if TYPE_CHECKING:
    from drivers.opcua.session import OpcUaSession

HEALTHY = 200
"""ServiceLevel from which on a server does its work in full (Part 4, 6.6.2.4.2)."""
CERTIFICATE_DAYS = "certificate_days"


class OpcUaDriver:
    """One server, at one endpoint or at several. See ``agent.core.ports.Driver``."""

    def __init__(self, device_id: str, device: OpcUaDevice, points: Mapping[str, OpcUaPoint], clock: Clock) -> None:
        self._id, self._device, self._clock = device_id, device, clock
        self._options = {f"{device_id}.{name}": point for name, point in points.items()}
        self._preferred = device.endpoint[0]
        self.points = [
            PointInfo(id_, point.unit, point.zone, point.description, point.writable, point.stale_after)
            for id_, point in self._options.items()
        ]
        if device.security != "none":
            about = "days until our certificate or the server's ends"
            self.points.append(PointInfo(f"{device_id}.{CERTIFICATE_DAYS}", "d", description=about))

    async def connect(self) -> Session:
        """Connect anew. The library is loaded beside the loop, so that other devices are read meanwhile.

        Of several endpoints the one is taken that served last, as long as it is healthy; else the next that
        is, in their order; else the one that is best off.
        """
        client = await asyncio.to_thread(importlib.import_module, "drivers.opcua.client")
        best: OpcUaSession | None = None
        faults: list[str] = []
        for endpoint in sorted(self._device.endpoint, key=lambda each: each != self._preferred):
            try:
                session: OpcUaSession = await client.open_session(self._device, endpoint, self._options, self._clock)
            except NotConnected as error:
                faults.append(str(error))
                continue
            session.days_point = f"{self._id}.{CERTIFICATE_DAYS}"
            best = await _better(best, session)
            if best.level >= HEALTHY or len(self._device.endpoint) == 1:
                break
        if best is None:
            raise NotConnected("; ".join(faults))
        self._preferred = best.endpoint
        best.least_level = min(HEALTHY, best.level) if len(self._device.endpoint) > 1 else 0
        return best


async def _better(one: OpcUaSession | None, other: OpcUaSession) -> OpcUaSession:
    """Keep the session of the server that is better off, and close the other."""
    if one is None:
        return other
    kept, left = (other, one) if other.level > one.level else (one, other)
    await left.close()
    return kept
