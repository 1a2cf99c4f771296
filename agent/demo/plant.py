"""Starts the plant, then the real daemon and its page, each a process of its own, and ends them in reverse."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.demo.api import Api, Unreachable
from agent.demo.broker import Broker
from agent.demo.process import Child, DemoError, Hear, free_port, wait_for_port
from agent.demo.site import write_site
from agent.demo.subscriber import Subscriber

_FOOTAGE = Path(__file__).parent / "footage" / "yard.mp4"
EMBEDDED = "ANSHAO_DEMO_EMBEDDED_BROKER"
"""Set in the environment, it makes the demo use its own broker even where mosquitto is installed."""


@dataclass(frozen=True)
class Wish:
    """What the user asked for."""

    folder: Path
    camera: str | None
    hmi: bool
    hmi_port: int | None


@dataclass(frozen=True)
class Plant:
    """All that runs. ``hmi_url`` is empty without a page."""

    boiler: Child
    press: Child
    broker: Broker
    subscriber: Subscriber
    daemon: Child
    api: Api
    hmi_url: str
    page: Child | None


@asynccontextmanager
async def running_plant(wish: Wish, hear: Hear, say: Callable[[str], None]) -> AsyncIterator[Plant]:
    """Start everything, in the order of dependence; end everything, in the reverse. Raises DemoError."""
    async with AsyncExitStack() as stack:
        boiler, boiler_port = await _device("boiler", wish.folder, hear, stack)
        press, press_port = await _device("press", wish.folder, hear, stack)
        await asyncio.gather(boiler.until_ready(), press.until_ready())
        say(f"the plant runs: boiler on Modbus port {boiler_port}, press line on OPC UA port {press_port}")
        broker = Broker(wish.folder, free_port(), embedded=EMBEDDED in os.environ)
        stack.push_async_callback(broker.stop)
        await broker.start()
        subscriber = Subscriber(broker.port)
        stack.callback(subscriber.stop)
        subscriber.start()
        say(f"{broker.kind} on port {broker.port}, with a subscriber that stands for the centre")
        camera = wish.camera or str(_FOOTAGE)
        site = write_site(wish.folder, boiler_port, press_port, broker.port, camera)
        socket = wish.folder / "anshao.sock"
        hmi_port = wish.hmi_port or free_port()
        page = await _page(wish.folder, socket, hmi_port, stack) if wish.hmi else None
        daemon, api = await _daemon(site, socket, stack)
        say(f"the daemon runs with {site}")
        say(f"for the command line: export ANSHAO_SOCKET={socket}")
        if page is not None:
            await _open(page, hmi_port)
        url = f"http://127.0.0.1:{hmi_port}/" if page else ""
        yield Plant(boiler, press, broker, subscriber, daemon, api, url, page)


async def _device(name: str, folder: Path, hear: Hear, stack: AsyncExitStack) -> tuple[Child, int]:
    port = free_port()
    child = Child(name, [sys.executable, "-m", f"agent.demo.{name}", str(port)], folder / f"{name}.log", hear)
    stack.push_async_callback(child.stop)
    await child.start()
    return child, port


async def _daemon(site: Path, socket: Path, stack: AsyncExitStack) -> tuple[Child, Api]:
    daemon = Child("daemon", [sys.executable, "-m", "agent", "run", str(site)], site.parent / "daemon.log")
    stack.push_async_callback(daemon.stop)
    await daemon.start(on_death=signal.SIGTERM)
    api = await stack.enter_async_context(Api(socket))
    try:
        async with asyncio.timeout(20):
            while daemon.alive and not await _answers(api):
                await asyncio.sleep(0.05)
    except TimeoutError as error:
        raise DemoError(f"the daemon does not answer on {socket} after 20 s:\n{daemon.last_words()}") from error
    if not daemon.alive:
        raise DemoError(f"the daemon ended at once:\n{daemon.last_words()}")
    return daemon, api


async def _answers(api: Api) -> Any:
    try:
        return await api.get("status")
    except Unreachable:
        return None


async def _page(folder: Path, socket: Path, port: int, stack: AsyncExitStack) -> Child:
    command = [sys.executable, "-m", "agent", "hmi", "--socket", str(socket), "--port", str(port)]
    page = Child("hmi", command, folder / "hmi.log")
    stack.push_async_callback(page.stop)
    await page.start(on_death=signal.SIGTERM)
    return page


async def _open(page: Child, port: int) -> None:
    try:
        await wait_for_port(port, 20, "the operators' page")
    except DemoError as error:
        raise DemoError(f"{error}:\n{page.last_words()}") from error
