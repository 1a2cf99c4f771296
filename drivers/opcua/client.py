"""Opens sessions. Importing this module loads asyncua: half a second and 80 MB before they are given back."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from asyncua.client.client import Client

from agent.core.errors import NotConnected
from agent.core.ports import Clock, Session
from drivers.opcua.device import OpcUaDevice
from drivers.opcua.options import OpcUaPoint
from drivers.opcua.session import OpcUaSession
from drivers.opcua.subscription import LIFETIME_S

logging.getLogger("asyncua").setLevel(logging.CRITICAL + 1)  # what it reports reaches the caller as an error
_NO_WATCHDOG_S = 86400.0
"""The library's own watchdog stays out of it: the session asks the server itself."""


async def open_session(device: OpcUaDevice, points: Mapping[str, OpcUaPoint], clock: Clock) -> Session:
    """Build a fresh client and connect it; a client that once failed may be dead for good. Raises NotConnected."""
    session = OpcUaSession(_client(device), device, points, clock)
    try:
        await session.open()
    except BaseException:
        await session.close()
        raise
    return session


def _client(device: OpcUaDevice) -> Client:
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
