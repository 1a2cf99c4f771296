"""The OPC UA driver: what it knows before it connects, and how it connects."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from asyncua.client.client import Client

from agent.core.errors import NotConnected
from agent.core.model import PointInfo
from agent.core.ports import Clock, Session
from drivers.opcua.options import OpcUaDevice, OpcUaPoint
from drivers.opcua.session import LIFETIME_S, OpcUaSession, limited

logging.getLogger("asyncua").setLevel(logging.CRITICAL + 1)  # what it reports reaches the caller as an error
_NO_WATCHDOG_S = 86400.0
"""The library's own watchdog stays out of it: the session asks the server itself."""


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
        """Build a fresh client and connect it; a client that once failed may be dead for good."""
        session = OpcUaSession(self._client(), self._device, self._options, self._clock)
        try:
            await limited(session.open(), self._device)
        except BaseException:
            await session.close()
            raise
        return session

    def _client(self) -> Client:
        device = self._device
        client = Client(device.endpoint, timeout=device.timeout, watchdog_intervall=_NO_WATCHDOG_S)
        client.session_timeout = int(LIFETIME_S * 1000)
        if device.username:
            client.set_user(device.username)
            client.set_password(_password(device))
        return client


def _password(device: OpcUaDevice) -> str:
    if device.password_file is None:
        return ""
    try:
        return device.password_file.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise NotConnected(f"password file {device.password_file}: {error.strerror}") from error
