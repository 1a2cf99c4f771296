"""Keeps the cameras' models: stage, verify, rehearse, keep, swap, watch, confirm or take back.

What is refused changes nothing and says why. Used from the event loop only.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import structlog

from agent.app.modelsets.probation import Before, Probation, complaint
from agent.app.modelsets.store import Choice, ModelStore, key_of
from agent.core.errors import ConfigError, NotConnected, Refused
from agent.core.model import EventDraft, Lane, Operator
from agent.core.ports import Clock, Recorder
from agent.pipeline import Pipeline
from models.bundle import Bundle, load_bundle
from models.camera import Vitals
from models.rehearsal import rehearse

log = structlog.get_logger(__name__)

PERIOD_S = 1.0
PROBATION_S = 600.0
MOST_STARTS = 3
"""Starts in a row that a model may fail before the one before it is taken."""
ITSELF = Operator("", "gateway")
Outcome = dict[str, Any]


class Swappable(Protocol):
    """A camera's driver as the keeper sees it; see ``models.camera.CameraDriver``."""

    vitals: Vitals

    @property
    def bundle(self) -> Path:
        """The folder of the model in use."""

    def use(self, bundle: Path) -> None:
        """Take it from the next connection on. Raises Refused."""

    async def swap(self, bundle: Path) -> None:
        """Take it between two pictures. Raises Refused."""

    async def restart(self, bundle: Path) -> None:
        """End the worker and take it. Raises Refused."""

    async def prove(self) -> Any:
        """Have the model at work judge a golden picture. Raises NotConnected."""


class ModelSets:
    """``probations`` holds the models that are not confirmed yet, by camera."""

    def __init__(
        self,
        cameras: Mapping[str, Swappable],
        store: ModelStore,
        pipeline: Pipeline,
        journal: Recorder,
        clock: Clock,
        probation_s: float = PROBATION_S,
    ) -> None:
        self.probations: dict[str, Probation] = {}
        self._cameras, self._store, self._pipeline = cameras, store, pipeline
        self._journal, self._clock, self._probation_s = journal, clock, probation_s
        self._configured = {name: camera.bundle for name, camera in cameras.items()}
        self._choices: dict[str, Choice] = {}
        self._hashes: dict[str, str] = {}
        self._lock = asyncio.Lock()

    async def prepare(self) -> None:
        """Let each camera start with the model that was confirmed last and is still whole."""
        current = await asyncio.to_thread(self._store.current)
        for name, camera in self._cameras.items():
            self._choices[name] = current.of(name)
            for key in await asyncio.to_thread(self._store.sound, current.of(name)):
                try:
                    camera.use(self._store.path(key))
                except Refused as error:
                    log.error("a model that ran does not fit the camera", camera=name, model=key, reason=str(error))
                else:
                    self._choices[name] = current.of(name).up_to(key)
                    break

    async def run(self) -> None:
        """Watch the models at work until cancelled."""
        while True:
            await asyncio.sleep(PERIOD_S)
            async with self._lock:
                for name in self._cameras:
                    await self._watch(name)

    def row(self) -> dict[str, Any]:
        """Return what each camera runs, and what is kept."""
        now_s = self._clock.now().mono_s
        cameras = [
            {
                "camera": name,
                "model": self._key(name),
                "previous": list(self._choice(name).stack[:-1]),
                "probation_s": round(self.probations[name].ends_s - now_s, 1) if name in self.probations else None,
                "latency_ms": round(camera.vitals.latency_ms, 1),
            }
            for name, camera in self._cameras.items()
        ]
        return {"cameras": cameras, "kept": self._store.keys()}

    async def activate(self, camera: str, model: str, operator: Operator, force: bool = False) -> Outcome:
        """Let a camera go on with a bundle: the key of one that is kept, or a folder. Raises KeyError."""
        driver = self._cameras[camera]
        async with self._lock:
            if refusal := self._refusal(camera, force):
                return self._tell("rejected", camera, model, operator, refusal)
            bundle, fault = await self._admit(camera, model, operator)
            if bundle is None:
                return self._tell("rejected", camera, model, operator, fault)
            if refusal := self._refusal(camera, force):  # rehearsing took its time
                return self._tell("rejected", camera, model, operator, refusal)
            return await self._take(camera, driver, bundle, operator)

    async def rollback(self, camera: str, operator: Operator, force: bool = False) -> Outcome:
        """Let a camera go on with the model before. Raises KeyError."""
        _ = self._cameras[camera]
        async with self._lock:
            alarm = self._alarm(camera)
            if alarm and not force:
                return self._tell("rejected", camera, self._key(camera), operator, _WAIT.format(alarm))
            if camera in self.probations:
                return await self._back(camera, self.probations[camera].before.key, "somebody wanted it", operator)
            stack = self._choice(camera).stack
            if not stack:
                return self._tell("rejected", camera, self._key(camera), operator, "there is no model before this one")
            return await self._back(camera, ("", *stack)[-2], "somebody wanted it", operator)

    def _refusal(self, camera: str, force: bool) -> str:
        if camera in self.probations:
            return f"{self.probations[camera].key} is on probation; wait, or roll it back"
        alarm = self._alarm(camera)
        return _WAIT.format(alarm) if alarm and not force else ""

    def _alarm(self, camera: str) -> str:
        """Return an active alarm that looks at the camera's facts, or nothing."""
        engine = self._pipeline.engine
        for id_, alarm in engine.standing.items():
            if alarm.active and any(point.startswith(f"{camera}.") for point in engine.definitions[id_].inputs):
                return id_
        return ""

    async def _admit(self, camera: str, model: str, operator: Operator) -> tuple[Bundle | None, str]:
        """Stage, verify, rehearse and keep; or return why not."""
        try:
            if model in await asyncio.to_thread(self._store.keys):
                bundle = await asyncio.to_thread(load_bundle, self._store.path(model))
                return bundle, ""
            staged = await asyncio.to_thread(self._store.stage, Path(model))
        except (ConfigError, ValueError, OSError) as error:
            return None, str(error)
        tried = await rehearse(staged.folder)
        if tried.fault:
            await asyncio.to_thread(self._store.discard, staged)
            return None, tried.fault
        try:
            kept = await asyncio.to_thread(self._store.keep, staged)
        except (ValueError, OSError) as error:
            return None, str(error)
        self._tell("staged", camera, key_of(staged), operator)
        return Bundle(kept, staged.manifest), ""

    async def _take(self, camera: str, driver: Swappable, bundle: Bundle, operator: Operator) -> Outcome:
        key, before = key_of(bundle), Before(self._key(camera), driver.bundle, driver.vitals)
        try:
            await driver.swap(bundle.folder)
        except Refused as error:
            return self._tell("rejected", camera, key, operator, str(error))
        self._hashes[key] = await asyncio.to_thread(bundle.digest)
        now = self._clock.now()
        self.probations[camera] = Probation(key, before, now, now.mono_s + self._probation_s)
        return self._tell("activated", camera, key, operator, previous=before.key)

    async def _watch(self, camera: str) -> None:
        driver, probation = self._cameras[camera], self.probations.get(camera)
        if probation is None:
            stack = self._choice(camera).stack
            if stack and driver.vitals.failed_starts >= MOST_STARTS:
                await self._back(camera, ("", *stack)[-2], f"it failed {MOST_STARTS} starts", ITSELF)
        elif reason := complaint(probation.before.vitals, driver.vitals):
            await self._back(camera, probation.before.key, reason, ITSELF)
        elif self._clock.now().mono_s >= probation.ends_s:
            await self._confirm(camera, probation)

    async def _confirm(self, camera: str, probation: Probation) -> None:
        """Keep what has stood the test; it is what the camera starts with from now on."""
        try:
            await self._cameras[camera].prove()
            await asyncio.to_thread(load_bundle, self._store.path(probation.key))
            choice = self._choice(camera).with_(probation.key)
            await asyncio.to_thread(self._store.decide, camera, choice)
        except (NotConnected, ConfigError) as error:
            await self._back(camera, probation.before.key, str(error), ITSELF)
        except OSError as error:
            log.warning("which model runs cannot be kept", camera=camera, reason=error.strerror or str(error))
        else:
            self._choices[camera] = choice
            del self.probations[camera]
            self._tell("confirmed", camera, probation.key, ITSELF, previous=probation.before.key)

    async def _back(self, camera: str, key: str, reason: str, operator: Operator) -> Outcome:
        """Go on with the model ``key``; without a live worker from its next start on."""
        driver, failed = self._cameras[camera], self._key(camera)
        folder = self._store.path(key) if key else self._configured[camera]
        try:
            try:
                await driver.swap(folder)
            except Refused:
                await driver.restart(folder)
        except Refused as error:
            return self._tell("rejected", camera, key, operator, str(error), previous=failed)
        await self._forget(camera)
        return self._tell("rolled-back", camera, key, operator, reason, previous=failed)

    async def _forget(self, camera: str) -> None:
        if self.probations.pop(camera, None) is not None:
            return  # it was never written down
        choice = self._choices[camera] = Choice(self._choice(camera).stack[:-1])
        try:
            await asyncio.to_thread(self._store.decide, camera, choice)
        except OSError as error:
            log.warning("which model runs cannot be kept", camera=camera, reason=error.strerror or str(error))

    def _choice(self, camera: str) -> Choice:
        return self._choices.get(camera, Choice())

    def _key(self, camera: str) -> str:
        """Return what the camera runs; nothing for what ``site.yaml`` names."""
        return self.probations[camera].key if camera in self.probations else self._choice(camera).confirmed

    def _tell(
        self, action: str, camera: str, model: str, operator: Operator, reason: str = "", previous: str = ""
    ) -> Outcome:
        """Let the journal know, and return what the one who asked is told."""
        outcome = {"action": action, "camera": camera, "model": model, "previous": previous, "reason": reason}
        who = {"name": operator.name, "via": operator.via, "note": operator.note}
        told = EventDraft(
            "model.change",
            Lane.STATE,
            camera,
            {**outcome, "sha256": self._hashes.get(model, ""), "operator": who},
            self._clock.now(),
        )
        self._journal.record([told], ())
        (log.warning if reason else log.info)("model", **outcome)
        return outcome


_WAIT = "alarm {} is active and looks at this camera; wait until it is over, or use force"
