"""Fieldbus and network protocols, one each, behind the contract of ``agent.core.ports``."""

from __future__ import annotations

from agent.core.ports import DriverType
from drivers.gpio import GPIO
from drivers.modbus import MODBUS_SERIAL, MODBUS_TCP
from drivers.mqtt import MQTT
from drivers.opcua import OPCUA
from drivers.replay import REPLAY
from drivers.simulated import SIMULATED

_ALL = (GPIO, MODBUS_SERIAL, MODBUS_TCP, MQTT, OPCUA, REPLAY, SIMULATED)
REGISTRY: dict[str, DriverType] = {driver.protocol: driver for driver in _ALL}
