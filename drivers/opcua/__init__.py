"""OPC UA: subscriptions with quality and source time, confirmed writes."""

from __future__ import annotations

from agent.core.ports import DriverType
from drivers.opcua.driver import OpcUaDriver
from drivers.opcua.options import OpcUaDevice, OpcUaPoint

OPCUA = DriverType("opcua", OpcUaDevice, OpcUaPoint, OpcUaDriver)
