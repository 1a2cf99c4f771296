"""The demo's PLCs, read by the project's own drivers and by foreign clients."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from asyncua import ua
from asyncua.client.client import Client
from pymodbus.client import AsyncModbusTcpClient

from agent.demo.press import NAMESPACE
from agent.demo.process import Child, DemoError, free_port

PYTHON = [sys.executable, "-m"]


class Heard:
    """What a plant process told."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []
        self._news = asyncio.Event()

    def __call__(self, _name: str, message: dict[str, Any]) -> None:
        self.messages.append(message)
        self._news.set()

    async def wait(self, event: str) -> dict[str, Any]:
        async with asyncio.timeout(5):
            while True:
                for message in self.messages:
                    if message["event"] == event:
                        self.messages.remove(message)
                        return message
                self._news.clear()
                await self._news.wait()


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
async def boiler(tmp_path: Path, heard: Heard, port: int) -> AsyncIterator[Child]:
    child = Child("boiler", [*PYTHON, "agent.demo.boiler", str(port)], tmp_path / "boiler.log", heard)
    await child.start()
    try:
        await child.until_ready()
        yield child
    finally:
        await child.stop()


async def _modbus(port: int) -> AsyncModbusTcpClient:
    client = AsyncModbusTcpClient("127.0.0.1", port=port, timeout=0.5, retries=0)
    assert await client.connect()
    return client


async def test_boiler_serves_its_points_and_measures_the_siren(boiler: Child, heard: Heard, port: int) -> None:
    client = await _modbus(port)
    boiler.send("ramp", point="gas", to=45, seconds=0.2)
    await asyncio.sleep(0.4)
    registers = (await client.read_holding_registers(0, count=2, device_id=1)).registers
    gas = client.convert_from_registers(registers, client.DATATYPE.FLOAT32)
    assert gas == pytest.approx(45.0)
    assert not (await client.write_coil(0, True, device_id=1)).isError()
    assert (await heard.wait("coil")) | {"t": 0} == {"event": "coil", "t": 0, "name": "siren", "on": True}
    latency = await heard.wait("siren")
    assert 150 < latency["latency_ms"] < 1500
    sounding = (await client.read_discrete_inputs(0, count=2, device_id=1)).bits[:2]
    assert sounding == [True, False]
    tubes = await client.read_holding_registers(100, count=100, device_id=1)
    assert not tubes.isError()
    client.close()


async def test_a_sounding_siren_gives_no_latency(boiler: Child, heard: Heard, port: int) -> None:
    client = await _modbus(port)
    await client.write_coil(0, True, device_id=1)
    await heard.wait("coil")
    boiler.send("set", point="emergency_button", value=1)
    await asyncio.sleep(0.1)
    await client.write_coil(0, False, device_id=1)
    await client.write_coil(0, True, device_id=1)
    await heard.wait("coil")
    await heard.wait("coil")
    assert not heard.messages[1:]
    client.close()


async def test_frozen_boiler_keeps_its_connection_and_acts_on_nothing_old(
    boiler: Child, heard: Heard, port: int
) -> None:
    client = await _modbus(port)
    boiler.send("freeze")
    await asyncio.sleep(0.1)
    with pytest.raises(Exception, match="No response"):
        await client.write_coil(0, True, device_id=1)
    boiler.send("thaw")
    await asyncio.sleep(0.2)
    fresh = await _modbus(port)
    assert (await fresh.read_coils(0, count=1, device_id=1)).bits[0] is False
    assert [message["event"] for message in heard.messages] == ["ready"]
    client.close()
    fresh.close()


async def test_press_serves_its_nodes_and_reports_its_beacon(tmp_path: Path, heard: Heard, port: int) -> None:
    child = Child("press", [*PYTHON, "agent.demo.press", str(port)], tmp_path / "press.log", heard)
    await child.start()
    try:
        await child.until_ready()
        child.send("set", node="Press.Running", value=True)
        async with Client(f"opc.tcp://127.0.0.1:{port}/press") as client:
            index = await client.get_namespace_index(NAMESPACE)
            running = client.get_node(ua.NodeId.from_string(f"ns={index};s=Press.Running"))
            async with asyncio.timeout(5):
                while not await running.read_value():
                    await asyncio.sleep(0.02)
            red = client.get_node(ua.NodeId.from_string(f"ns={index};s=Beacon.Red"))
            await red.write_value(ua.DataValue(ua.Variant(2, ua.VariantType.Int32)))
            beacon = await heard.wait("beacon")
        assert (beacon["name"], beacon["level"]) == ("red", 2)
    finally:
        await child.stop()
    assert not child.alive


async def test_a_child_that_cannot_start_says_why(tmp_path: Path, heard: Heard) -> None:
    child = Child("boiler", [*PYTHON, "agent.demo.boiler", "no-port"], tmp_path / "log", heard)
    await child.start()
    with pytest.raises(DemoError, match="invalid literal"):
        await child.until_ready()
    await child.stop()


async def test_children_die_with_their_parent(tmp_path: Path) -> None:
    code = (
        "import asyncio, os, sys, pathlib\n"
        "from agent.demo.process import Child\n"
        "async def go():\n"
        "    child = Child('sleeper', ['sleep', '300'], pathlib.Path(sys.argv[1]))\n"
        "    await child.start()\n"
        "    print(child.pid, flush=True)\n"
        "    await asyncio.sleep(60)\n"
        "asyncio.run(go())\n"
    )
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, str(tmp_path / "log"), stdout=asyncio.subprocess.PIPE
    )
    assert parent.stdout is not None
    pid = int(await parent.stdout.readline())
    await asyncio.sleep(0.5)
    os.kill(pid, 0)
    parent.send_signal(signal.SIGKILL)
    await parent.wait()
    async with asyncio.timeout(5):
        while _runs(pid):
            await asyncio.sleep(0.02)


def _runs(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    except (FileNotFoundError, ProcessLookupError):
        return False
