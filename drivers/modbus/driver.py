"""The Modbus driver: what it knows before it connects, and how it connects."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from agent.core.model import PointInfo
from agent.core.ports import Clock, Session
from drivers.modbus.bus import Bus, Buses, Unit
from drivers.modbus.codec import Codec
from drivers.modbus.devices import LINE, ModbusDevice, ModbusSerialDevice, ModbusTcpDevice
from drivers.modbus.frames import FRAMINGS
from drivers.modbus.groups import make_groups
from drivers.modbus.link import open_serial, open_tcp
from drivers.modbus.module import ModuleSession, hidden_points, module_points
from drivers.modbus.options import ModbusPoint
from drivers.modbus.plan import Limits, Span
from drivers.modbus.reader import Wired
from drivers.modbus.session import ModbusSession

BUSES = Buses()
_TURNAROUND_S = 0.005
"""What a device on a serial line takes to begin its answer."""
_SILENCE = 3.5
"""Characters of silence between two frames (Modbus over serial line 1.02, 2.5.1.1), at least 1.75 ms."""


class ModbusDriver:
    """One unit. See ``agent.core.ports.Driver``. With ``own_line`` it does not share a connection with others."""

    def __init__(
        self, device_id: str, device: ModbusDevice, points: Mapping[str, ModbusPoint], clock: Clock, own_line: bool
    ) -> None:
        self._id, self._device, self._clock = device_id, device, clock
        self._own_line = own_line
        self.points = [_info(f"{device_id}.{name}", point, device) for name, point in points.items()]
        everything = dict(points)
        if device.module is not None and not own_line:
            self.points += module_points(device_id, device.module)
            everything |= hidden_points(device.module)
        self._wired = {f"{device_id}.{name}": _wire(f"{device_id}.{name}", point) for name, point in everything.items()}

    async def connect(self) -> Session:
        """Take hold of the line, and open it if nobody has."""
        device = self._device
        bus = self._bus()
        unit = Unit(device.unit, device.timeout, device.pause, device.settle)
        limits = _limits(device)
        periods = [(wire.options.poll or device.poll, wire.span) for wire in self._wired.values()]
        groups = make_groups(self._id, periods, limits, self._clock.now().mono_s)
        session = ModbusSession(bus, unit, self._wired, limits, groups, self._clock)
        await session.open()
        return session if device.module is None else ModuleSession(self._id, session, device.module)

    def _bus(self) -> Bus:
        settings = self._device.model_dump_json(include=set(LINE))
        make = partial(_make_bus, self._device)
        return make(settings) if self._own_line else BUSES.at(self._device.endpoint, settings, make)


def _make_bus(device: ModbusDevice, settings: str) -> Bus:
    framing = FRAMINGS[device.framing]()
    if isinstance(device, ModbusSerialDevice):
        silence_s = max(_SILENCE * device.character_s, 0.00175)
        return Bus(device.endpoint, framing, partial(open_serial, device), silence_s, settings)
    assert isinstance(device, ModbusTcpDevice)
    return Bus(device.endpoint, framing, partial(open_tcp, device), settings=settings)


def _limits(device: ModbusDevice) -> Limits:
    """Return the limits and costs of a request: on a serial line every character takes its time."""
    if not isinstance(device, ModbusSerialDevice):
        return Limits(device.max_bits, device.max_registers, device.max_hole)
    wide = 2 if device.framing == "ascii" else 1
    request_s = 13 * wide * device.character_s + 2 * _SILENCE * device.character_s + _TURNAROUND_S
    return Limits(device.max_bits, device.max_registers, device.max_hole, request_s, 2 * wide * device.character_s)


def _wire(point_id: str, point: ModbusPoint) -> Wired:
    span = Span(point.address.table, point.address.offset, point.count, point_id)
    return Wired(point, Codec(point), span)


def _info(point_id: str, point: ModbusPoint, device: ModbusDevice) -> PointInfo:
    poll_s = point.poll or device.poll
    stale_after_s = max(3 * poll_s, poll_s + device.timeout) if point.stale_after is None else point.stale_after
    return PointInfo(point_id, point.unit, point.zone, point.description, point.writable, stale_after_s)
