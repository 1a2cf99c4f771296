"""Modbus over TCP, TLS and serial lines: planned block reads, shared lines, confirmed writes."""

from __future__ import annotations

from collections.abc import Mapping

from agent.core.ports import Clock, Driver, DriverType
from drivers.modbus.devices import ModbusDevice, ModbusSerialDevice, ModbusTcpDevice
from drivers.modbus.options import ModbusPoint


def _build(device_id: str, device: ModbusDevice, points: Mapping[str, ModbusPoint], clock: Clock) -> Driver:
    from drivers.modbus.driver import ModbusDriver  # loaded by those who have such a device

    return ModbusDriver(device_id, device, points, clock, own_line=False)


def _build_outputs(device_id: str, device: ModbusDevice, points: Mapping[str, ModbusPoint], clock: Clock) -> Driver:
    """Outputs get a connection of their own, where there can be one, so that no poll is in their way."""
    from drivers.modbus.driver import ModbusDriver

    own_line = isinstance(device, ModbusTcpDevice) and device.connections > 1
    return ModbusDriver(device_id, device, points, clock, own_line)


async def _identify(host: str, port: int, timeout_s: float) -> str | None:
    from drivers.modbus.identify import identify

    return await identify(host, port, timeout_s)


MODBUS_TCP = DriverType("modbus-tcp", ModbusTcpDevice, ModbusPoint, _build, _build_outputs, 502, _identify)
MODBUS_SERIAL = DriverType("modbus-serial", ModbusSerialDevice, ModbusPoint, _build, _build_outputs)
