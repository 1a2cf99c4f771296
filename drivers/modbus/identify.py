"""Ask who answers at a Modbus TCP port: one connection, one or two questions, nothing written."""

from __future__ import annotations

from agent.core.errors import NotConnected
from drivers.modbus import pdu
from drivers.modbus.address import Table
from drivers.modbus.bus import Bus, Unit
from drivers.modbus.devices import ModbusTcpDevice
from drivers.modbus.frames import TcpFraming
from drivers.modbus.link import Link, OnData, OnLost, open_tcp

UNITS = (1, 255)
"""Most devices answer as unit 1, others only as 255."""


async def identify(host: str, port: int, timeout_s: float) -> str | None:
    """Return vendor and product, or that Modbus is spoken there; None if it is not. Never raises."""
    device = ModbusTcpDevice(host=host, port=port, timeout=timeout_s)

    async def opens(on_data: OnData, on_lost: OnLost) -> Link:
        return await open_tcp(device, on_data, on_lost)

    for number in UNITS:
        bus, unit = Bus(device.endpoint, TcpFraming(), opens), Unit(number, timeout_s)
        try:
            return await _ask(bus, await bus.attach(device, unit), unit)
        except NotConnected:
            continue
        finally:
            bus.detach(device)
    return None


async def _ask(bus: Bus, link: Link, unit: Unit) -> str:
    answer = await bus.ask(link, unit, pdu.identify())
    if not pdu.exception_code(answer):
        return f"unit {unit.number}: {' '.join(pdu.identification(answer))}".strip()
    answer = await bus.ask(link, unit, pdu.read(Table.HOLDING, 0, 1))
    code = pdu.exception_code(answer)
    return f"unit {unit.number}: Modbus, but no identification{f' ({pdu.reason(code)})' if code else ''}"
