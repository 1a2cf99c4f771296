"""OPC UA: subscriptions with quality and source time, confirmed writes."""

from __future__ import annotations

from agent.core.ports import DriverType
from drivers.opcua.device import OpcUaDevice
from drivers.opcua.driver import OpcUaDriver
from drivers.opcua.options import OpcUaPoint

OPCUA = DriverType("opcua", OpcUaDevice, OpcUaPoint, OpcUaDriver)
