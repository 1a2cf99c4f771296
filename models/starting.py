"""Starts a camera's worker on the engine that was found best for it; whatever a driver does, the camera goes on.

An engine that keeps a worker from starting, or whose workers die early, gives way to the one that every machine has.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import structlog

from agent.core.errors import NotConnected
from agent.core.ports import Clock
from models.enginebook import EngineBook
from models.engines import SAFE, Chosen, choose
from models.options import CameraOptions
from models.session import CameraSession
from models.wire import LONGEST_LINE

log = structlog.get_logger(__name__)

EARLY_S = 600.0
MOST_EARLY_DEATHS = 3
_ROOT = Path(__file__).parent.parent
Make = Callable[[asyncio.subprocess.Process], CameraSession]


class Starter:
    """Knows which engine a camera's bundles get. ``book`` holds what was tried on this machine."""

    def __init__(self, camera: str, book: EngineBook, clock: Clock) -> None:
        self._camera, self.book, self._clock = camera, book, clock
        self._unfit: dict[Path, str] = {}
        self._early = 0
        self._ready_s = float("-inf")

    def best(self, options: CameraOptions) -> Chosen:
        """Return the engine that a worker would start with now."""
        if options.bundle in self._unfit:
            return Chosen(SAFE, self._unfit[options.bundle])
        tried = self.book.read(options.bundle)
        return choose(tried, options.provider) if tried else Chosen()

    async def start(self, options: CameraOptions, make: Make, nice: int | None = None) -> tuple[CameraSession, Chosen]:
        """Return a worker whose model is loaded, and what runs it. Raises NotConnected when not even SAFE does.

        ``nice`` is its priority, by default that of cameras.
        """
        chosen = self.best(options)
        if chosen.engine != SAFE and self._early >= MOST_EARLY_DEATHS:
            chosen = self._give_up(
                options, chosen, f"its worker died {MOST_EARLY_DEATHS} times, each time soon after its start"
            )
        if chosen.engine == SAFE:
            return await self._ready(options, make, chosen, nice), chosen
        try:
            session = await self._ready(options, make, chosen, nice)
        except NotConnected as error:
            safe = Chosen(SAFE, f"{chosen.engine}: {error}")
            session = await self._ready(options, make, safe, nice)  # where this fails, too, the engine is not to blame
            self._give_up(options, chosen, str(error))
            return session, safe
        self._ready_s = self._clock.now().mono_s
        return session, chosen

    def ended(self) -> None:
        """Count a worker that nobody ended: soon after its start it may be its engine that killed it."""
        is_early = self._clock.now().mono_s - self._ready_s < EARLY_S
        self._early = self._early + 1 if is_early else 0

    def _give_up(self, options: CameraOptions, chosen: Chosen, why: str) -> Chosen:
        reason = self._unfit[options.bundle] = f"{chosen.engine}: {why}"
        self._early = 0
        log.warning("engine given up", camera=self._camera, reason=reason, goes_on_with=str(SAFE))
        return Chosen(SAFE, reason)

    async def _ready(self, options: CameraOptions, make: Make, chosen: Chosen, nice: int | None) -> CameraSession:
        session = make(await self._process(options, chosen, nice))
        try:
            await session.ready()
        except BaseException:
            await session.end()
            raise
        return session

    async def _process(self, options: CameraOptions, chosen: Chosen, nice: int | None) -> asyncio.subprocess.Process:
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "models.worker",
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                cwd=_ROOT,
                limit=LONGEST_LINE,
                start_new_session=True,
            )
        except OSError as error:
            raise NotConnected(f"the vision worker cannot be started: {error.strerror}") from error
        order: dict[str, Any] = {
            "parent": os.getpid(),
            "camera": options.model_dump(mode="json", exclude_unset=True),
            "memory": str(options.state / f"{self._camera}.json") if options.state else "",
            "engine": asdict(chosen.engine),
            "cache": str(self.book.folder) if self.book.folder else "",
        }
        if nice is not None:
            order["nice"] = nice
        assert process.stdin is not None
        process.stdin.write(json.dumps(order).encode() + b"\n")
        return process
