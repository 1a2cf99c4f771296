"""The plants that the conformance suite runs on: a driver, and a server that we did not write."""

from __future__ import annotations

import asyncio
import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.core.clock import SystemClock
from agent.core.model import Sample, Value
from agent.core.ports import Driver, Session
from drivers import REGISTRY
from tests.servers.process import HERE, Server, free_port

TIMEOUT_S = 1.0


@dataclass
class Rig:
    """``value`` reads 7, ``writable`` and ``switch`` can be written, ``broken`` cannot be read."""

    name: str
    protocol: str
    server: Server
    device: dict[str, Any]
    points: dict[str, dict[str, Any]]
    refused: tuple[str, Value]
    """A point and a value that the device (or its type) refuses."""
    extra: Callable[[], Server] | None = None

    def driver(self, **device: Any) -> Driver:
        """Return a driver on the server (or on what ``device`` says instead)."""
        kind = REGISTRY[self.protocol]
        options = kind.device.model_validate({"timeout": TIMEOUT_S, **self.device, **device})
        points = {name: kind.point.model_validate(point) for name, point in self.points.items()}
        return kind.build("plc", options, points, SystemClock())

    def at_port(self, port: int, **device: Any) -> Driver:
        """Return the same driver on another port."""
        if self.protocol == "opcua":
            return self.driver(endpoint=f"opc.tcp://127.0.0.1:{port}/plant", **device)
        if self.protocol == "mqtt":
            return self.driver(broker=f"mqtt://127.0.0.1:{port}", **device)
        return self.driver(port=port, **device)


async def fetch_until(session: Session, point: str, value: Value, limit_s: float = 2.0) -> None:
    """Fetch a point until it has ``value``: at once, but where the device tells by itself."""
    async with asyncio.timeout(limit_s):
        while [sample.value for sample in await session.fetch([point])] != [value]:
            await asyncio.sleep(0.01)


async def read_until(session: Session, points: set[str], limit_s: float = 5.0) -> dict[str, Sample]:
    """Read batches until each of ``points`` was seen."""
    seen: dict[str, Sample] = {}
    async with asyncio.timeout(limit_s):
        while not points <= set(seen):
            seen.update({sample.point: sample for sample in await session.read()})
    return seen


def modbus_rig(name: str, command: list[str], port: int) -> Rig:
    """Return a rig on a server whose holding registers hold their own offset, up to 899."""
    return Rig(
        name,
        "modbus-tcp",
        Server([*command, str(port)], port),
        {"host": "127.0.0.1", "port": port, "poll": 0.1},
        {
            "value": {"address": {"table": "holding", "offset": 7}},
            "writable": {"address": {"table": "holding", "offset": 20}, "type": "int16", "writable": True},
            "switch": {"address": {"table": "coil", "offset": 3}, "writable": True},
            "broken": {"address": {"table": "holding", "offset": 905}, "writable": True},
        },
        ("plc.broken", 1),
    )


def build_libmodbus(folder: Path, name: str = "libmodbus") -> Path:
    """Compile a libmodbus server."""
    binary = folder / name
    for tool in ("cc", "pkg-config"):
        assert shutil.which(tool), f"{tool} is missing: run tools/test-servers as root"
    flags = subprocess.check_output(["pkg-config", "--cflags", "--libs", "libmodbus"], text=True).split()
    subprocess.run(["cc", str(HERE / f"{name}.c"), "-o", str(binary), *flags], check=True)
    return binary


def libmodbus(folder: Path) -> Rig:
    """Describe the libmodbus server."""
    return modbus_rig("libmodbus", [str(build_libmodbus(folder))], free_port())


def libmodbus_rtu(folder: Path) -> Rig:
    """Describe a serial device server: RTU frames over TCP, a libmodbus slave on a terminal of its own behind it."""
    slave, port = build_libmodbus(folder, "libmodbus_rtu"), free_port()
    listen = f"TCP-LISTEN:{port},bind=127.0.0.1,reuseaddr,fork"
    made = modbus_rig("libmodbus-rtu", [], port)
    made.server = Server(["socat", listen, f"EXEC:{slave} - 1,pty,rawer"], port, ready=None, forks=True)
    made.device["framing"] = "rtu"
    return made


def modbus_serial(_folder: Path) -> Rig:
    """Describe the npm modbus-serial server."""
    return modbus_rig("modbus-serial", ["node", str(HERE / "modbus_serial.js")], free_port())


def node_opcua(folder: Path) -> Rig:
    """Describe the npm node-opcua server."""
    port, node = free_port(), "nsu=urn:test:plant;s=Plant."
    command = ["node", str(HERE / "node_opcua.js"), str(port), str(folder / "pki")]
    return Rig(
        "node-opcua",
        "opcua",
        Server(command, port),
        {"endpoint": f"opc.tcp://127.0.0.1:{port}/plant", "sampling": 0.1, "security": "none"},
        {
            "value": {"node": f"{node}Level"},
            "writable": {"node": f"{node}SetPoint", "writable": True},
            "switch": {"node": f"{node}Siren", "writable": True},
            "broken": {"node": f"{node}Broken"},
            "absent": {"node": f"{node}Nowhere", "writable": True},
            "elsewhere": {"node": "nsu=urn:nowhere;s=X"},
        },
        ("plc.absent", 1),
        lambda: Server([*command, "extra"], port),
    )


def mosquitto_plant(folder: Path) -> Rig:
    """Describe a gadget on a mosquitto, which echoes what it is told."""
    port = free_port()
    command = [sys.executable, str(HERE / "mqtt_plant.py"), str(port), str(folder)]
    echo = {"writable": True, "expiry": "never", "max_age": 3600.0}
    return Rig(
        "mosquitto",
        "mqtt",
        Server(command, port, forks=True),
        {"broker": f"mqtt://127.0.0.1:{port}", "keepalive": 1.0},
        {
            "value": {"topic": "plant/value", "path": "$.value", "time": "$.at"},
            "writable": {"topic": "plant/writable", "publish": "plant/set/writable", **echo},
            "switch": {"topic": "plant/switch", "publish": "plant/set/switch", **echo},
            "broken": {"topic": "plant/broken", "path": "$.value"},
        },
        ("plc.value", 1),
    )


RIGS = {
    "libmodbus": libmodbus,
    "libmodbus-rtu": libmodbus_rtu,
    "modbus-serial": modbus_serial,
    "mosquitto": mosquitto_plant,
    "node-opcua": node_opcua,
}


class Silent:
    """A TCP listener that accepts and answers nothing, or garbage; ``heard`` collects what it was sent."""

    def __init__(self, answer: bytes = b"", heard: list[bytes] | None = None) -> None:
        self._answer = answer
        self._heard = [] if heard is None else heard
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> int:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return int(self._server.sockets[0].getsockname()[1])

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with closing(writer):
            while data := await reader.read(4096):
                self._heard.append(data)
                writer.write(self._answer)


class Proxy:
    """A TCP proxy before a real server. ``delay_s`` holds each piece back; ``is_open`` false swallows all of them."""

    def __init__(self, target: int, delay_s: float = 0.0) -> None:
        self._target, self.delay_s, self.is_open = target, delay_s, True
        self._server: asyncio.Server | None = None
        self._pumps: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()

    async def __aenter__(self) -> int:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return int(self._server.sockets[0].getsockname()[1])

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        await asyncio.gather(*self._pumps, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        their_reader, their_writer = await asyncio.open_connection("127.0.0.1", self._target)
        self._writers |= {writer, their_writer}
        pumps = (self._pump(reader, their_writer, False), self._pump(their_reader, writer, True))
        self._pumps |= {asyncio.create_task(pump) for pump in pumps}

    def cut(self) -> None:
        """Abort every connection, on both sides."""
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()
        self._pumps = {pump for pump in self._pumps if not pump.done()}

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, is_answer: bool) -> None:
        with closing(writer), suppress(OSError):
            while data := await reader.read(65536):
                await asyncio.sleep(self.delay_s)
                if self.is_open:
                    writer.write(self._passed(data, is_answer))

    def _passed(self, data: bytes, _is_answer: bool) -> bytes:
        return data


class Corrupting(Proxy):
    """Spoils some of the answers, the same ones for the same seed."""

    def __init__(self, target: int, seed: int) -> None:
        super().__init__(target)
        self._random = random.Random(seed)

    def _passed(self, data: bytes, is_answer: bool) -> bytes:
        return self._spoiled(data) if is_answer and self._random.random() < 0.2 else data

    def _spoiled(self, data: bytes) -> bytes:
        spoiled = bytearray(data)
        for _ in range(self._random.choice((1, 2, 8))):
            spoiled[self._random.randrange(len(spoiled))] = self._random.randrange(256)
        return bytes(spoiled)
