"""Runs the demo from start to summary."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import signal
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape

from agent.demo.api import Unreachable
from agent.demo.checks import Checklist
from agent.demo.delivery import Tally, settle
from agent.demo.narrator import Narrator
from agent.demo.plant import Plant, Wish, running_plant
from agent.demo.process import DemoError
from agent.demo.scenario import DEMANDS, STEPS, DaemonGone, Stage, Step
from agent.demo.summary import Result, percentile, show, write_json
from agent.demo.usage import CpuMeter, rss_mb
from agent.demo.world import World

LATENCY_GOAL_MS = 150.0
FPS_GOAL = 4.0
_CLOSING_S = 4.0
"""What the end of a run takes: the last events on their way, and the figures."""


def run_demo(for_s: float | None, json_path: Path | None, camera: str | None, hmi: bool, hmi_port: int | None) -> int:
    """See ``agent.demo.main``."""
    console = Console()
    folder = Path(tempfile.mkdtemp(prefix="anshao-demo-"))
    demo = Demo(Wish(folder, _absolute(camera), hmi, hmi_port), for_s, console)
    try:
        result = asyncio.run(demo.run())
    except DemoError as error:
        console.print(f"[bold red]The demo cannot go on:[/] {escape(str(error))}", highlight=False)
        console.print(f"The logs of its processes are in {folder}")
        return 1
    except KeyboardInterrupt:
        console.print("Ended before the plant ran.")
        shutil.rmtree(folder)
        return 130
    show(console, result)
    if json_path is not None:
        write_json(json_path, result)
    if demo.checks.failed:
        console.print(f"[bold red]Something did not happen as it should.[/] The logs are in {folder}")
        return 1
    shutil.rmtree(folder)
    return 0


def _absolute(camera: str | None) -> str | None:
    return str(Path(camera).resolve()) if camera and Path(camera).exists() else camera


class Demo:
    """One run. ``for_s`` is None for a run without end."""

    def __init__(self, wish: Wish, for_s: float | None, console: Console) -> None:
        self.checks = Checklist(DEMANDS)
        self.world = World()
        self.narrator = Narrator(console)
        self._wish = wish
        self._until_s = None if for_s is None else time.monotonic() + for_s
        self._fps: list[float] = []
        self._meter: CpuMeter | None = None

    async def run(self) -> Result:
        """Play the scenario, settle accounts, end every process. Raises DemoError when something cannot start."""
        self.narrator.say("[bold]anshao demo[/]: a small plant, the real daemon, and a story that repeats itself")
        async with running_plant(self._wish, self._hear, self.narrator.say) as plant:
            if plant.hmi_url:
                self.narrator.say(f"the operators' page: [bold blue]{plant.hmi_url}[/]")
            async with self._watching(plant):
                await _unless_interrupted(self._play(plant))
                self.narrator.step("The end: every event must have arrived")
                return await self._settle(plant)

    async def _play(self, plant: Plant) -> None:
        stage = Stage(plant, self.world, self.checks, self.narrator)
        try:
            await self._await_devices(stage)
            self._meter = CpuMeter(plant.daemon.pid)
            while await self._round(stage):
                await asyncio.sleep(0.5)
            await stage.settle_backlog()
            await stage.acknowledge()
        except (DaemonGone, *Unreachable) as error:
            self.checks.note("steady", False, str(error) or "the daemon does not answer")
        finally:
            if stage.backlog is not None:
                stage.backlog.cancel()

    async def _await_devices(self, stage: Stage) -> None:
        until_s = time.monotonic() + 20
        waiting = ["everything"]
        while waiting and time.monotonic() < until_s:
            status = await stage.plant.api.get("status")
            waiting = [device["id"] for device in status["devices"] if device["state"] != "online"]
            waiting += [camera["id"] for camera in status["cameras"] if not camera["fps"]]
            await asyncio.sleep(0.1)
        stage.note("started", not waiting, f"no {waiting}" if waiting else "both PLCs are read, the camera sees")

    async def _round(self, stage: Stage) -> bool:
        """Play the steps for which there is time; tell whether to go on."""
        played = 0
        for step in STEPS:
            if self._fits(step):
                self.narrator.step(step.title)
                await step.play(stage)
                played += 1
        return played > 0

    def _fits(self, step: Step) -> bool:
        if self._until_s is None:
            return True
        left_s = self._until_s - time.monotonic() - _CLOSING_S
        return step.needs_s <= left_s

    async def _settle(self, plant: Plant) -> Result:
        ended = [child.name for child in (plant.daemon, plant.page) if child is not None and not child.alive]
        self.checks.note("steady", not ended, f"ended: {ended}" if ended else "daemon and page ran all the time")
        latencies, fps = self.world.latencies_ms, _median(self._fps)
        p99 = percentile(latencies, 99)
        if p99 is not None:
            detail = f"p99 {p99:.0f} ms of {len(latencies)} sirens"
            self.checks.note("siren_latency", p99 <= LATENCY_GOAL_MS, detail)
        if fps is not None:
            self.checks.note("vision", fps >= FPS_GOAL, f"{fps:.1f} frames a second")
        worker, own = (self._meter.children(), self._meter.own()) if self._meter else (None, None)
        memory = rss_mb(plant.daemon.pid)
        if not plant.broker.child.alive:
            await plant.broker.start()
        tally = await self._count(plant)
        return Result(self.checks.results, self.world.raised, latencies, tally, fps, worker, memory, own)

    async def _count(self, plant: Plant) -> Tally | None:
        try:
            tally = await settle(plant)
        except Unreachable as error:
            self.checks.note("delivery", False, f"the daemon does not answer: {error}")
            return None
        detail = (
            f"{tally.delivered} of {tally.journalled} events arrived, {tally.lost} lost, {tally.duplicated} doubled"
        )
        self.checks.note("delivery", tally.lost == 0, detail)
        return tally

    def _hear(self, name: str, message: dict[str, Any]) -> None:
        self.world.plant(message)
        self.narrator.plant(name, message)

    @asynccontextmanager
    async def _watching(self, plant: Plant) -> AsyncIterator[None]:
        """Follow the daemon's events and the camera's rate in the background."""
        self.world.alarms = {id_: alarm["state"] for id_, alarm in (await plant.api.alarms()).items()}
        tasks = [asyncio.create_task(self._follow(plant)), asyncio.create_task(self._sample_fps(plant))]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _follow(self, plant: Plant) -> None:
        with contextlib.suppress(*Unreachable):
            async for event in plant.api.stream():
                self.world.event(event)
                self.narrator.event(event)

    async def _sample_fps(self, plant: Plant) -> None:
        while True:
            await asyncio.sleep(1)
            with contextlib.suppress(*Unreachable):
                cameras = (await plant.api.get("status"))["cameras"]
                self._fps += [camera["fps"] for camera in cameras if camera["fps"]]


async def _unless_interrupted(play: Any) -> None:
    """Run ``play`` to its end, or until Ctrl-C or SIGTERM: then what was not played yet counts as not run."""
    task = asyncio.ensure_future(play)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, task.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await task


def _median(values: Sequence[float]) -> float | None:
    return percentile(values, 50)
