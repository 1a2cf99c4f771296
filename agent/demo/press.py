"""The demo's press line: an OPC UA server with a conveyor, and the beacon on its mast.

Commands: ``set`` (node, value), ``quit``. Events: ``ready``, ``beacon`` (name, level: 0 off, 1 on, 2 flashing).
"""

from __future__ import annotations

import asyncio
import math
import sys
import time
from typing import Any

from asyncua import ua
from asyncua.common.node import Node
from asyncua.server.server import Server

from agent.demo.control import commands, tell

NAMESPACE = "urn:anshao:demo:press"
_DOUBLE, _BOOL, _INT = ua.VariantType.Double, ua.VariantType.Boolean, ua.VariantType.Int32
_NODES: dict[str, tuple[Any, ua.VariantType]] = {
    "Press.Running": (False, _BOOL),
    "Press.Speed": (0.0, _DOUBLE),
    "Press.Pressure": (118.0, _DOUBLE),
    "Press.Temperature": (46.0, _DOUBLE),
    "Press.Parts": (18204, _INT),
    "Press.Rejects": (37, _INT),
    "Press.GuardClosed": (True, _BOOL),
    "Beacon.Red": (0, _INT),
    "Beacon.Yellow": (0, _INT),
}
_BEACONS = {"Beacon.Red": "red", "Beacon.Yellow": "yellow"}


class Press:
    """The server and its nodes."""

    def __init__(self) -> None:
        self.server = Server()
        self._nodes: dict[str, Node] = {}
        self._beacons = dict.fromkeys(_BEACONS, 0)

    async def init(self, port: int) -> None:
        """Build the address space; the server then starts as a context manager."""
        await self.server.init()
        self.server.set_endpoint(f"opc.tcp://127.0.0.1:{port}/press")
        self.server.set_server_name("Press line of the demo")
        self.server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
        index = await self.server.register_namespace(NAMESPACE)
        line = await self.server.nodes.objects.add_object(
            ua.NodeId.from_string(f"ns={index};s=Line"), ua.QualifiedName("Line", index)
        )
        for name, (value, kind) in _NODES.items():
            node = await line.add_variable(
                ua.NodeId.from_string(f"ns={index};s={name}"), ua.QualifiedName(name, index), value, kind
            )
            if name in _BEACONS:
                await node.set_writable()
            self._nodes[name] = node

    async def set(self, name: str, value: Any) -> None:
        """Write a node with its own type. Raises KeyError for an unknown one."""
        await self._nodes[name].write_value(ua.DataValue(ua.Variant(value, _NODES[name][1])))

    async def get(self, name: str) -> Any:
        """Read a node."""
        return await self._nodes[name].read_value()

    async def work(self) -> None:
        """Let the line run, and report the beacon, until cancelled."""
        while True:
            for name, colour in _BEACONS.items():
                level = int(await self.get(name))
                if level != self._beacons[name]:
                    self._beacons[name] = level
                    tell("beacon", name=colour, level=level)
            await self._move()
            await asyncio.sleep(0.05)

    async def _move(self) -> None:
        running = await self.get("Press.Running")
        wave = math.sin(time.monotonic() / 3)
        await self.set("Press.Speed", round(24 + wave, 1) if running else 0.0)
        await self.set("Press.Pressure", round(118 + 6 * wave, 1))
        if running and time.monotonic() % 1 < 0.05:
            await self.set("Press.Parts", await self.get("Press.Parts") + 1)


async def serve(port: int) -> None:
    """Serve until the demo says ``quit`` or is gone."""
    press = Press()
    await press.init(port)
    async with press.server:
        tell("ready", port=port)
        working = asyncio.create_task(press.work())
        async for command in commands():
            if command["cmd"] == "set":
                await press.set(command["node"], command["value"])
        working.cancel()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))
