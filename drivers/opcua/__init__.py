"""OPC UA: secured subscriptions with quality and source time, confirmed writes."""

from __future__ import annotations

from agent.core.ports import DriverType
from drivers.opcua.device import OpcUaDevice
from drivers.opcua.driver import OpcUaDriver
from drivers.opcua.options import OpcUaPoint


async def _identify(host: str, port: int, timeout_s: float) -> str | None:
    from drivers.opcua.identify import identify  # loads the library

    return await identify(host, port, timeout_s)


OPCUA = DriverType("opcua", OpcUaDevice, OpcUaPoint, OpcUaDriver, port=4840, identify=_identify)
