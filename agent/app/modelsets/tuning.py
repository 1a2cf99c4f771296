"""Tries each camera's model once on this machine, in all that it may run on, and lets the camera have the best.

Cameras begin on what every machine has and go over when the trial is done: no trial keeps a camera from seeing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

import structlog

from models.bundle import has_variants
from models.enginebook import EngineBook
from models.engines import Chosen, Tried
from models.providers import Provider, installed
from models.rehearsal import rehearse, try_provider

log = structlog.get_logger(__name__)

AFTER_S = 30.0
"""The start of a plant's cameras and alarms comes first."""
PERIOD_S = 5.0


class Tunable(Protocol):
    """A camera's driver; see ``models.camera.CameraDriver``."""

    chosen: Chosen

    @property
    def bundle(self) -> Path:
        """The folder of the model in use."""

    def engines_in(self, folder: Path) -> None:
        """Take what was tried on this machine from there."""

    def best(self) -> Chosen:
        """Return what its worker would run on if it began now; asks the disk."""

    async def renew(self) -> None:
        """Begin its worker anew on that, between two pictures. Raises Refused."""


class Tuning:
    """``renew`` begins a camera's worker anew beside the old one; False when this is not the time for it.

    ``tell`` is given what a camera runs on when that changes.
    """

    def __init__(
        self,
        cameras: Mapping[str, Tunable],
        folder: Path,
        tell: Callable[[str, Chosen], None],
        renew: Callable[[str], Awaitable[bool]],
    ) -> None:
        self._cameras, self._book, self._tell, self._renew = cameras, EngineBook(folder), tell, renew
        self._seen: set[Path] = set()
        self._moved: set[tuple[str, Path]] = set()
        for camera in cameras.values():
            camera.engines_in(folder)
        self._told = {name: Chosen() for name in cameras}

    async def run(self) -> None:
        """Try what was not tried yet, and look after the cameras, until cancelled."""
        await asyncio.sleep(AFTER_S)
        while True:
            for name, camera in self._cameras.items():
                await self._settle(name, camera)
            await asyncio.sleep(PERIOD_S)

    async def note(self, bundle: Path, tried: tuple[Tried, ...]) -> None:
        """Keep what rehearsing a bundle on the CPU found, and try the other providers that this machine has."""
        self._seen.add(bundle)
        found = {each.engine: each for each in tried}
        for provider in installed():
            if provider is not Provider.CPU:
                done = await try_provider(bundle, provider, self._book.folder or bundle)
                found.update((each.engine, each) for each in done.tried)
        for each in found.values():
            log.info("engine tried", model=str(bundle), engine=str(each.engine), ms=each.look_ms, fault=each.fault)
        fault = await asyncio.to_thread(self._book.write, bundle, list(found.values()))
        if fault:
            log.warning("what models run on best cannot be kept", reason=fault)

    def row(self, camera: str) -> dict[str, Any]:
        """Return what a camera's networks run on, and why not on what was wanted."""
        chosen, told = self._cameras[camera].chosen, self._told[camera]
        reason = chosen.reason or (told.reason if told.engine == chosen.engine else "")
        return {"engine": str(chosen.engine), "engine_reason": reason}

    async def _settle(self, name: str, camera: Tunable) -> None:
        bundle = camera.bundle
        if bundle not in self._seen and not await asyncio.to_thread(self._book.read, bundle):
            await self._try(bundle)
        best = await asyncio.to_thread(camera.best)
        if best.engine != camera.chosen.engine and (name, bundle) not in self._moved and await self._renew(name):
            self._moved.add((name, bundle))
        self._notice(name, best if best.engine == camera.chosen.engine else camera.chosen)

    async def _try(self, bundle: Path) -> None:
        self._seen.add(bundle)
        if not await asyncio.to_thread(has_variants, bundle) and installed() == (Provider.CPU,):
            return
        done = await rehearse(bundle)
        if done.fault:  # its camera says so, too
            log.warning("model cannot be tried", model=str(bundle), reason=done.fault)
        else:
            await self.note(bundle, done.tried)

    def _notice(self, name: str, chosen: Chosen) -> None:
        if chosen != self._told[name]:
            self._told[name] = chosen
            self._tell(name, chosen)
