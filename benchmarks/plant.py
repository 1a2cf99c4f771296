"""The demo's plant and the real daemon, under the control of a benchmark instead of a scenario."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Protocol

import aiohttp

from agent.demo.broker import Broker
from agent.demo.process import Child, free_port
from agent.demo.site import write_site
from agent.demo.subscriber import Subscriber

FOOTAGE = Path("agent/demo/footage/yard.mp4").resolve()


class Press(Protocol):
    """A press line that runs already: it takes two seconds of processor time to start."""

    port: int

    def freeze(self) -> None:
        """Stop it in its tracks."""

    def thaw(self) -> None:
        """Let it go on."""


class Plant:
    """Boiler, press, broker and agent. ``latencies_ms`` grows as the boiler's own clock measures."""

    def __init__(self, folder: Path, camera: bool, press: Press | None = None) -> None:
        self.folder = folder
        self.latencies_ms: list[float] = []
        self.siren_on = False
        ports = [free_port(), press.port if press else free_port(), free_port()]
        self.boiler = self._process("boiler", [sys.executable, "-m", "agent.demo.boiler", str(ports[0])])
        own = self._process("press", [sys.executable, "-m", "agent.demo.press", str(ports[1])])
        self.press: Press | Child = press or own
        self.machines = [self.boiler] if press else [self.boiler, own]
        self.broker = Broker(folder, ports[2])
        self.centre = Subscriber(ports[2])
        site = write_site(folder, ports[0], ports[1], ports[2], str(FOOTAGE))
        if not camera:
            _without_camera(site)
        self.socket = folder / "anshao.sock"
        self.agent = Child("agent", [sys.executable, "-m", "agent", "run", str(site)], folder / "agent.log")

    async def ask(self, path: str, **body: object) -> Any:
        """GET (or with a body POST) the local API. Raises aiohttp.ClientError while the agent is away."""
        connector = aiohttp.UnixConnector(str(self.socket))
        async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(5)) as session:
            method = "POST" if body else "GET"
            async with session.request(method, f"http://agent/v1/{path}", json=body or None) as response:
                response.raise_for_status()
                return await response.json()

    async def until_up(self, limit_s: float = 60.0) -> None:
        """Wait until the agent has read every device."""
        async with asyncio.timeout(limit_s):
            while True:
                try:
                    devices = (await self.ask("status"))["devices"]
                except (aiohttp.ClientError, OSError):
                    devices = []
                if devices and all(device["state"] == "online" for device in devices):
                    return
                await asyncio.sleep(0.05)

    async def pulse(self, limit_s: float = 5.0) -> None:
        """Press the emergency button until the siren sounds, and let go until it is silent."""
        before = len(self.latencies_ms)
        self.boiler.send("set", point="emergency_button", value=1)
        await _until(lambda: len(self.latencies_ms) > before, limit_s, "the siren did not sound")
        self.boiler.send("set", point="emergency_button", value=0)
        await _until(lambda: not self.siren_on, limit_s, "the siren did not stop")

    def _process(self, name: str, command: list[str]) -> Child:
        return Child(name, command, self.folder / f"{name}.log", self._hear)

    def _hear(self, _name: str, message: dict[str, Any]) -> None:
        if message["event"] == "siren":
            self.latencies_ms.append(message["latency_ms"])
        elif message["event"] == "coil" and message["name"] == "siren":
            self.siren_on = bool(message["on"])


@asynccontextmanager
async def running(
    folder: Path,
    *,
    camera: bool,
    more_rules: str = "",
    replace: tuple[str, str] = ("", ""),
    limit_s: float = 20.0,
    press: Press | None = None,
) -> AsyncIterator[Plant]:
    """Run a plant, with ``more_rules`` behind the demo's own and a text of its site replaced; stop it at the end.

    ``press`` is one that runs already, and goes on.
    """
    plant = Plant(folder, camera, press)
    site = folder / "site.yaml"
    site.write_text(site.read_text(encoding="utf-8").replace(*replace, 1), encoding="utf-8")
    with (folder / "rules.yaml").open("a", encoding="utf-8") as rules:
        rules.write(more_rules)
    try:
        await asyncio.gather(plant.broker.start(), *(machine.start() for machine in plant.machines))
        await asyncio.gather(*(machine.until_ready() for machine in plant.machines))
        plant.centre.start()
        await _until(lambda: plant.centre.connected, 10.0, "the centre did not connect")
        await plant.agent.start()
        await plant.until_up(limit_s)
        yield plant
    finally:
        plant.centre.stop()
        for child in (plant.agent, *plant.machines):
            await child.stop()
        await plant.broker.stop()


async def _until(condition: Any, limit_s: float, otherwise: str) -> None:
    deadline_s = time.monotonic() + limit_s
    while not condition():
        if time.monotonic() > deadline_s:
            raise RuntimeError(otherwise)
        await asyncio.sleep(0.005)


def _without_camera(site: Path) -> None:
    text = site.read_text(encoding="utf-8")
    start, end = text.index("cameras:"), text.index("outputs:")
    site.write_text(text[:start] + text[end:], encoding="utf-8")
    rules = site.with_name("rules.yaml")
    kept = rules.read_text(encoding="utf-8").partition("  - id: bare_head_at_press")[0]
    rules.write_text(kept, encoding="utf-8")


def percentile(values: list[float], share: float) -> float:
    """Return the value that ``share`` of the values do not exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else float("nan")


def children_of(pid: int, word: str) -> list[int]:
    """Return the process ids of children whose command line holds ``word``."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(path.read_text().rpartition(")")[2].split()[1])
            command = path.with_name("cmdline").read_bytes().decode(errors="replace")
        except OSError:
            continue
        if parent == pid and word in command:
            found.append(int(path.parent.name))
    return found
