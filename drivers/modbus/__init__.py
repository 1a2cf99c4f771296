"""Modbus TCP: planned block reads, confirmed writes."""

from __future__ import annotations

from collections.abc import Mapping

from agent.core.ports import Clock, Driver, DriverType
from drivers.modbus.options import ModbusDevice, ModbusPoint


def _build(device_id: str, device: ModbusDevice, points: Mapping[str, ModbusPoint], clock: Clock) -> Driver:
    from drivers.modbus.driver import ModbusDriver  # pymodbus is loaded by those who have such a device

    return ModbusDriver(device_id, device, points, clock)


MODBUS_TCP = DriverType("modbus-tcp", ModbusDevice, ModbusPoint, _build)
