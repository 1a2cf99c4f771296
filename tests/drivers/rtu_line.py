"""A serial line behind a TCP port (as a device server offers it) with several units, which misbehave at will."""

from __future__ import annotations

import asyncio
import struct
from contextlib import closing, suppress

from drivers.modbus.frames import RtuFraming


class RtuLine:
    """Each unit answers reads with its own number in every register. The line is slow: ``answer_s`` an answer."""

    def __init__(self, units: set[int], answer_s: float = 0.005) -> None:
        self.units, self.answer_s = units, answer_s
        self.late_s: dict[int, float] = {}
        """Units that answer too late, and by how much."""
        self.noise = b""
        """Comes before each answer: the talk of another master, or garbage."""
        self.value: int | None = None
        """What the registers hold instead."""
        self.asked: list[int] = []
        self.connections = 0
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> RtuLine:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()

    @property
    def port(self) -> int:
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        with closing(writer), suppress(asyncio.IncompleteReadError, OSError):
            while True:
                unit, function, _first, count, _crc = struct.unpack(">BBHHH", await reader.readexactly(8))
                self.asked.append(unit)
                if unit in self.units:
                    answer = struct.pack(f">BB{count}H", function, 2 * count, *[self.value or unit] * count)
                    frame = self.noise + RtuFraming().wrap(unit, 0, answer)
                    task = asyncio.create_task(self._answer(writer, frame, unit))
                    self._tasks.add(task)

    async def _answer(self, writer: asyncio.StreamWriter, frame: bytes, unit: int) -> None:
        await asyncio.sleep(self.late_s.get(unit, self.answer_s))
        writer.write(frame)
