"""Modbus TCP: planned block reads, confirmed writes."""

from __future__ import annotations

from agent.core.ports import DriverType
from drivers.modbus.driver import ModbusDriver
from drivers.modbus.options import ModbusDevice, ModbusPoint

MODBUS_TCP = DriverType("modbus-tcp", ModbusDevice, ModbusPoint, ModbusDriver)
