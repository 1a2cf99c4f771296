"""OPC UA: subscriptions with quality and source time, confirmed writes."""

from __future__ import annotations

from collections.abc import Mapping

from agent.core.ports import Clock, Driver, DriverType
from drivers.opcua.options import OpcUaDevice, OpcUaPoint


def _build(device_id: str, device: OpcUaDevice, points: Mapping[str, OpcUaPoint], clock: Clock) -> Driver:
    from drivers.opcua.driver import OpcUaDriver  # asyncua takes 25 MB and 0.3 s: only for who has such a device

    return OpcUaDriver(device_id, device, points, clock)


OPCUA = DriverType("opcua", OpcUaDevice, OpcUaPoint, _build)
