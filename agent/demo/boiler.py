"""The demo's boiler: a Modbus TCP PLC with 200 points, and a stopwatch of its own from danger to siren.

Commands: ``set`` (point, value), ``ramp`` (point, to, seconds), ``freeze``, ``thaw``, ``quit``.
Events: ``ready``, ``coil`` (name, on) and ``siren`` (latency_ms from the change that asked for it).
"""

from __future__ import annotations

import asyncio
import math
import random
import struct
import sys
import time
from collections.abc import Callable

from pymodbus.constants import ExcCodes
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from agent.demo.control import commands, tell

TRIP_GAS = 40.0
"""Gas at or above this (in % of the lower explosive limit) starts the stopwatch, as the emergency button does."""
TUBES = 186
"""Tube temperatures behind the named points; with them the boiler has 200."""

_FLOATS = {"gas": 0, "pressure": 2, "steam_flow": 4}
_TENTHS = {"temperature": 6, "level": 7, "feedwater_temperature": 8, "flue_gas_temperature": 9, "oxygen": 10}
FIRST_TUBE = 100
_INPUTS = {"siren_sounding": 0, "emergency_button": 1, "door_open": 2, "flame": 3, "feed_pump": 4}
_COILS = {"siren": 0}
_START = {
    "gas": 4.0, "pressure": 8.2, "steam_flow": 3.4, "temperature": 172.0, "level": 61.0,
    "feedwater_temperature": 104.0, "flue_gas_temperature": 181.0, "oxygen": 3.8, "flame": 1.0, "feed_pump": 1.0,
}  # fmt: skip
_WRITES = (5, 15)


class Boiler:
    """The memory of the PLC. ``clock`` gives monotonic seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.holding = [0] * (FIRST_TUBE + TUBES)
        self.inputs = [False] * 16
        self.coils = [False] * 16
        self.thawed = asyncio.Event()
        self.thawed.set()
        self._clock = clock
        self._asked_s: float | None = None
        self._gas = 0.0
        for point, value in _START.items():
            self.set(point, value)
        for tube in range(TUBES):
            self.holding[FIRST_TUBE + tube] = 1650 + tube % 40

    def set(self, point: str, value: float) -> None:
        """Change a value; a change into danger starts the stopwatch if the siren is silent. Raises KeyError."""
        if point in _FLOATS:
            first = _FLOATS[point]
            self.holding[first : first + 2] = struct.unpack(">HH", struct.pack(">f", value))
        elif point in _TENTHS:
            self.holding[_TENTHS[point]] = round(value * 10) & 0xFFFF
        else:
            self.inputs[_INPUTS[point]] = bool(value)
        self._watch(point, value)

    def _watch(self, point: str, value: float) -> None:
        danger = point == "emergency_button" and bool(value)
        if point == "gas":
            danger = self._gas < TRIP_GAS <= value
            self._gas = value
        if danger and not self.coils[_COILS["siren"]]:
            self._asked_s = self._clock()

    def write_coils(self, first: int, values: list[bool]) -> None:
        """Take a master's write: stop the stopwatch, and let the siren's feedback contact follow."""
        now_s, before = self._clock(), list(self.coils)
        self.coils[first : first + len(values)] = values
        for name, index in _COILS.items():
            if self.coils[index] != before[index]:
                tell("coil", name=name, on=self.coils[index])
        sounding = self.coils[_COILS["siren"]]
        self.inputs[_INPUTS["siren_sounding"]] = sounding
        if sounding and self._asked_s is not None:
            tell("siren", latency_ms=(now_s - self._asked_s) * 1000)
            self._asked_s = None

    async def action(
        self,
        function_code: int,
        _start: int,
        address: int,
        _count: int,
        registers: list[int],
        values: list[int] | list[bool] | None,
    ) -> ExcCodes | None:
        """Serve one request from this memory; pymodbus calls it before it reads ``registers``."""
        if not self.thawed.is_set():
            await self.thawed.wait()
            return ExcCodes.DEVICE_BUSY  # what was asked before the freeze must not act after it
        if values is not None and function_code in _WRITES:
            self.write_coils(address, [bool(value) for value in values])
        elif function_code == 1:
            registers[:] = [_packed(self.coils)]
        elif function_code == 2:
            registers[:] = [_packed(self.inputs)]
        elif function_code == 3:
            registers[:] = self.holding
        return None

    def server(self, port: int) -> ModbusTcpServer:
        """Return a server on loopback, not yet started."""
        bits = [SimData(0, values=[False] * 16, datatype=DataType.BITS)]
        holding = [SimData(0, values=list(self.holding), datatype=DataType.REGISTERS)]
        unused = [SimData(0, values=0, datatype=DataType.REGISTERS)]
        device = SimDevice(id=1, simdata=(bits, list(bits), holding, unused), action=self.action)
        return ModbusTcpServer([device], address=("127.0.0.1", port))


def _packed(bits: list[bool]) -> int:
    return sum(bit << index for index, bit in enumerate(bits))


async def _ramp(boiler: Boiler, point: str, to: float, seconds: float, start: float) -> None:
    steps = max(1, round(seconds / 0.05))
    for step in range(1, steps + 1):
        boiler.set(point, start + (to - start) * step / steps)
        await asyncio.sleep(seconds / steps)


async def _breathe(boiler: Boiler) -> None:
    """Let the quiet values move a little, as they do in a plant."""
    while True:
        wave = math.sin(time.monotonic() / 7)
        boiler.set("pressure", 8.2 + 0.15 * wave)
        boiler.set("temperature", 172 + wave)
        boiler.set("level", 61 + 2 * wave)
        boiler.set("steam_flow", 3.4 + 0.2 * wave)
        for tube in random.sample(range(TUBES), 10):
            boiler.holding[FIRST_TUBE + tube] += random.choice((-1, 1))
        await asyncio.sleep(0.2)


async def _obey(boiler: Boiler) -> None:
    levels = dict(_START)
    ramps: dict[str, asyncio.Task[None]] = {}
    async for command in commands():
        match command:
            case {"cmd": "set" | "ramp", "point": point}:
                if point in ramps:
                    ramps.pop(point).cancel()
                to = float(command.get("to", command.get("value", 0)))
                seconds = float(command.get("seconds", 0))
                ramps[point] = asyncio.create_task(_ramp(boiler, point, to, seconds, levels.get(point, 0)))
                levels[point] = to
            case {"cmd": "freeze"}:
                boiler.thawed.clear()
            case {"cmd": "thaw"}:
                boiler.thawed.set()


async def serve(port: int) -> None:
    """Serve until the demo says ``quit`` or is gone."""
    boiler = Boiler()
    server = boiler.server(port)
    await server.serve_forever(background=True)
    tell("ready", port=port)
    breathing = asyncio.create_task(_breathe(boiler))
    await _obey(boiler)
    breathing.cancel()
    boiler.thawed.set()
    await server.shutdown()  # type: ignore[no-untyped-call]


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))
