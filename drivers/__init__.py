"""Fieldbus and network protocols, one each, behind the contract of ``agent.core.ports``."""

from __future__ import annotations

from agent.core.ports import DriverType
from drivers.modbus import MODBUS_SERIAL, MODBUS_TCP
from drivers.mqtt import MQTT
from drivers.opcua import OPCUA

REGISTRY: dict[str, DriverType] = {driver.protocol: driver for driver in (MODBUS_TCP, MODBUS_SERIAL, MQTT, OPCUA)}
