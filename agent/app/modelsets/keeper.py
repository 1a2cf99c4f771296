"""Keeps the cameras' models: stage, verify, rehearse, keep, swap, watch, confirm or take back.

What is refused changes nothing and says why. Used from the event loop only.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol

import structlog

from agent.app.modelsets.admission import admit
from agent.app.modelsets.probation import Before, Probation, complaint
from agent.app.modelsets.shadowing import Plan, Shadowed, Shadows
from agent.app.modelsets.store import Choice, ModelStore, key_of
from agent.app.modelsets.telling import Outcome, Teller
from agent.app.modelsets.tuning import Tunable, Tuning
from agent.core.errors import ConfigError, NotConnected, Refused
from agent.core.model import Operator
from agent.core.ports import Clock, Recorder
from agent.pipeline import Pipeline
from models.bundle import Bundle, load_bundle
from models.engines import Chosen
from models.options import HEALTH
from models.vitals import Vitals
from models.wire import Ready

log = structlog.get_logger(__name__)

PERIOD_S = 1.0
PROBATION_S = 600.0
MOST_STARTS = 3
"""Starts in a row that a model may fail before the one before it is taken."""
ITSELF = Operator("", "gateway")


class Swappable(Shadowed, Tunable, Protocol):
    """A camera's driver as the keeper sees it; see ``models.camera.CameraDriver``."""

    vitals: Vitals
    model: Ready | None

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
        self._clock, self._probation_s = clock, probation_s
        self._configured = {name: camera.bundle for name, camera in cameras.items()}
        self._choices: dict[str, Choice] = {}
        self._tell = Teller(journal, clock)
        self._since = dict.fromkeys(cameras, clock.now().utc.isoformat())
        self._lock = asyncio.Lock()
        self.tuning = Tuning(cameras, store.folder / "engines", self._runs_on, self._renew)
        self.shadows = Shadows(store, clock, self._tell)

    async def prepare(self) -> None:
        """Let each camera start with the model that was confirmed last and is still whole."""
        current = await asyncio.to_thread(self._store.current)
        for name, camera in self._cameras.items():
            self._choices[name] = choice = await self._start_with(name, camera, current.of(name))
            self._since[name] = choice.since or self._since[name]
            await asyncio.to_thread(self._note, camera.bundle)

    def _note(self, folder: Path) -> None:
        with suppress(ConfigError, OSError):  # its camera tells why it cannot be loaded
            manifest = load_bundle(folder).manifest
            self._store.newest.note(manifest.name, manifest.version)

    async def _start_with(self, name: str, camera: Swappable, choice: Choice) -> Choice:
        """Return the part of the choice that may still run, its last one in use."""
        faults = {key: await asyncio.to_thread(self._store.fault, key) for key in choice.stack}
        fit = [key for key in choice.stack if not faults[key]]
        reason = faults.get(choice.confirmed, "")
        while fit:
            try:
                camera.use(self._store.path(fit[-1]))
                break
            except Refused as error:
                reason = reason or str(error)
                fit.pop()
        if reason:
            self._tell("rolled-back", name, fit[-1] if fit else "", ITSELF, reason, previous=choice.confirmed)
        return Choice(tuple(fit), "" if reason else choice.since)

    async def run(self) -> None:
        """Watch the models at work until cancelled."""
        try:
            while True:
                await asyncio.sleep(PERIOD_S)
                async with self._lock:
                    await self.shadows.look()
                    for name in self._cameras:
                        await self._watch(name)
        finally:
            await self.shadows.end("the agent stops")

    def row(self) -> dict[str, Any]:
        """Return what each camera runs, and what is kept."""
        return {
            "cameras": [self._row(name, driver) for name, driver in self._cameras.items()],
            "kept": self._store.keys(),
        }

    def _row(self, name: str, driver: Swappable) -> dict[str, Any]:
        """Return one camera's; what its worker says of the model is null until one was loaded."""
        left_s = self.probations[name].ends_s - self._clock.now().mono_s if name in self.probations else None
        loaded = dict.fromkeys(("name", "version", "sha256", "precision", "provider"))
        return {
            "camera": name,
            "model": self._key(name),
            **(asdict(driver.model) if driver.model is not None else loaded),
            "since": self._since[name],
            "previous": list(self._choice(name).stack[:-1]),
            "probation_s": round(left_s, 1) if left_s is not None else None,
            "latency_ms": round(driver.vitals.latency_ms, 1),
            **self.tuning.row(name),
            "shadow": self.shadows.row(name),
            "last": self._tell.last.get(name),
        }

    async def activate(
        self, camera: str, model: str, operator: Operator, force: bool = False, older: bool = False
    ) -> Outcome:
        """Let a camera go on with a bundle: the key of one that is kept, or a folder. Raises KeyError.

        ``force`` is to do it while an alarm looks at the camera; ``older`` takes one that is older than what has
        worked here, and needs a note of the operator's that says why.
        """
        driver = self._cameras[camera]
        async with self._lock:
            if refusal := self._refusal(camera, force):
                return self._tell("rejected", camera, model, operator, refusal)
            bundle = await self._admit(camera, model, operator, older)
            if not isinstance(bundle, Bundle):
                return bundle
            if refusal := self._refusal(camera, force):  # rehearsing took its time
                return self._tell("rejected", camera, model, operator, refusal)
            return await self._take(camera, driver, bundle, operator)

    async def shadow(self, camera: str, model: str, for_s: float, operator: Operator) -> Outcome:
        """Let another model look through a camera beside the one at work, for a while. Raises KeyError."""
        driver = self._cameras[camera]
        async with self._lock:
            refusal = self.shadows.refusal()
            if camera in self.probations:
                refusal = f"{self.probations[camera].key} is on probation, and is timed; wait until it is confirmed"
            if refusal:
                return self._tell("rejected", camera, model, operator, refusal)
            bundle = await self._admit(camera, model, operator)
            if not isinstance(bundle, Bundle):
                return bundle
            plan = Plan(camera, key_of(bundle), self._key(camera), for_s, operator)
            return await self.shadows.start(plan, driver, bundle.folder)

    async def stop_shadow(self, camera: str, operator: Operator) -> Outcome:
        """End the second model. Raises KeyError, NotAllowed when there is none."""
        _ = self._cameras[camera]
        async with self._lock:
            return await self.shadows.stop(camera, operator)

    async def comparison(self, camera: str) -> dict[str, Any]:
        """Return what the models said, so far or the last time. Raises KeyError, NotAllowed when they never did."""
        _ = self._cameras[camera]
        return await self.shadows.comparison(camera)

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

    def _alarm(self, camera: str, but: Collection[str] = ()) -> str:
        """Return an active alarm that looks at the camera's facts, ``but`` those, or nothing."""
        engine = self._pipeline.engine
        others = frozenset(f"{camera}.{fact}" for fact in but)
        for id_, alarm in engine.standing.items():
            looks_at = (point for point in engine.definitions[id_].inputs if point.startswith(f"{camera}."))
            if alarm.active and any(point not in others for point in looks_at):
                return id_
        return ""

    async def _admit(self, camera: str, model: str, operator: Operator, older: bool = False) -> Bundle | Outcome:
        """Return the bundle once it is kept, or what is told of a refusal."""
        found = _NO_NOTE if older and not operator.note else await admit(self._store, model, older=older)
        if isinstance(found, str):
            return self._tell("rejected", camera, model, operator, found)
        self._tell.hashes[key_of(found.bundle)] = found.sha256
        if found.is_new:
            await self.tuning.note(found.bundle.folder, found.tried)
            more = {"older_than": found.older_than} if found.older_than else {}
            self._tell("staged", camera, key_of(found.bundle), operator, **more)
        return found.bundle

    async def _take(self, camera: str, driver: Swappable, bundle: Bundle, operator: Operator) -> Outcome:
        await self.shadows.end_of(camera)
        key, before = key_of(bundle), Before(self._key(camera), driver.bundle, driver.vitals)
        try:
            await driver.swap(bundle.folder)
        except Refused as error:
            return self._tell("rejected", camera, key, operator, str(error))
        now = self._clock.now()
        self.probations[camera] = Probation(key, before, now, now.mono_s + self._probation_s)
        self._since[camera] = now.utc.isoformat()
        return self._tell("activated", camera, key, operator, previous=before.key)

    def _runs_on(self, camera: str, chosen: Chosen) -> None:
        self._tell("engine", camera, self._key(camera), ITSELF, chosen.reason, engine=str(chosen.engine))

    async def _renew(self, camera: str) -> bool:
        """Let a camera go on with the same model on a better engine; not while an alarm, a test or a shadow stands.

        An alarm on the camera itself is no reason to wait: that it is too slow may be why another engine is better.
        """
        async with self._lock:
            if camera in self.probations or self._alarm(camera, HEALTH) or self.shadows.row(camera) is not None:
                return False
            try:
                await self._cameras[camera].renew()
            except Refused as error:  # it will begin with it the next time that it begins
                log.info("a camera does not go over to a better engine now", camera=camera, reason=str(error))
            return True

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
            await asyncio.to_thread(self._store.load, probation.key)
            choice = self._choice(camera).with_(probation.key, probation.began.utc.isoformat())
            await asyncio.to_thread(self._store.decide, camera, choice)
        except (NotConnected, ConfigError) as error:
            await self._back(camera, probation.before.key, str(error), ITSELF)
        except OSError as error:
            log.warning("which model runs cannot be kept", camera=camera, reason=error.strerror or str(error))
        else:
            self._choices[camera] = choice
            del self.probations[camera]
            await asyncio.to_thread(self._note, self._store.path(probation.key))
            self._tell("confirmed", camera, probation.key, ITSELF, previous=probation.before.key)

    async def _back(self, camera: str, key: str, reason: str, operator: Operator) -> Outcome:
        """Go on with the model ``key``; without a live worker from its next start on."""
        await self.shadows.end_of(camera)
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
        self._since[camera] = self._clock.now().utc.isoformat()
        if self.probations.pop(camera, None) is not None:
            return  # it was never written down
        choice = self._choices[camera] = Choice(self._choice(camera).stack[:-1], self._since[camera])
        try:
            await asyncio.to_thread(self._store.decide, camera, choice)
        except OSError as error:
            log.warning("which model runs cannot be kept", camera=camera, reason=error.strerror or str(error))

    def _choice(self, camera: str) -> Choice:
        return self._choices.get(camera, Choice())

    def _key(self, camera: str) -> str:
        """Return what the camera runs; nothing for what ``site.yaml`` names."""
        return self.probations[camera].key if camera in self.probations else self._choice(camera).confirmed


_WAIT = "alarm {} is active and looks at this camera; wait until it is over, or use force"
_NO_NOTE = "an older model is taken only with a note of why: --note"
