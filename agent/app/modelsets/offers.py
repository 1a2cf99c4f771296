"""Carries offers of the centre out, one for each camera: found, verified, tried, taken, watched; each step is told.

An offer is on the disk before it is answered, and goes on after a restart. Used from the event loop only.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import structlog
from pydantic import TypeAdapter, ValidationError

from agent.backoff import delays
from agent.core.errors import NotAllowed, NotConnected, Refused
from agent.core.files import replace_durably
from agent.core.model import EventDraft, Lane, Operator, Value
from agent.core.ports import Clock, Recorder
from agent.offers import Offer, Step

log = structlog.get_logger(__name__)

PERIOD_S = 1.0
FIRST_WAIT_S, LONGEST_WAIT_S = 5.0, 300.0


class Installing(Protocol):
    """``ModelSets`` as offers see it."""

    def knows(self, camera: str) -> bool:
        """Tell whether there is such a camera."""

    def running(self, camera: str) -> str:
        """Return the key of the model that a camera runs."""

    def busy(self, camera: str, mode: str) -> str:
        """Return what speaks against another model just now, or nothing."""

    def on_probation(self, camera: str) -> bool:
        """Tell whether its model is not confirmed yet."""

    def last(self, camera: str) -> Mapping[str, Any]:
        """Return the last event of the camera's model."""

    async def activate(self, camera: str, model: str, operator: Operator, *, sha256: str = "") -> dict[str, Any]:
        """Let a camera go on with a bundle, if its manifest is the one meant."""

    async def shadow(
        self, camera: str, model: str, for_s: float, operator: Operator, sha256: str = ""
    ) -> dict[str, Any]:
        """Let a bundle look beside the one at work, if its manifest is the one meant."""


class Finding(Protocol):
    """``Arrivals`` as offers see it."""

    async def find(self, offer: Offer, fetching: Callable[[], None]) -> str:
        """Return a bundle that is kept, or its folder. Raises Refused, NotConnected."""

    async def forget(self, kept: Collection[Offer]) -> None:
        """Delete what nobody wants any more."""


@dataclass(frozen=True)
class Held:
    """An offer in hand, and how far it is."""

    offer: Offer
    step: Step = Step.ACCEPTED
    reason: str = ""


_HELD = TypeAdapter(Held)
_ENDS = (Step.CONFIRMED, Step.ROLLED_BACK, Step.REFUSED, Step.WITHDRAWN, Step.INTERRUPTED, Step.SHADOWING)


class Offers:
    """``folder`` holds a file for each offer that is in hand."""

    def __init__(
        self,
        models: Installing,
        arrivals: Finding,
        permit: Callable[[str], None],
        folder: Path,
        give_up_s: float,
        recorder: Recorder,
        clock: Clock,
    ) -> None:
        self._models, self._arrivals, self._permit_url = models, arrivals, permit
        self._folder, self._give_up_s = folder, give_up_s
        self._recorder, self._clock = recorder, clock
        self._held: dict[str, Held] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._unsaved: set[str] = set()
        self._saving = asyncio.Lock()
        self._wake = asyncio.Event()

    def accept(self, offer: Offer) -> dict[str, Value]:
        """Take an offer in hand; call ``save`` before that is told. Raises KeyError, NotAllowed."""
        if not self._models.knows(offer.camera):
            raise KeyError(offer.camera)
        held = self._held.get(offer.camera)
        if held is not None and not held.offer.is_same(offer):
            raise NotAllowed(
                f"{held.offer.key} is in hand for {offer.camera} ({held.step}, offer {held.offer.id}); "
                "wait for its end, or withdraw it"
            )
        if held is None:
            if offer.url:
                self._permit_url(offer.url)
            held = Held(offer)
            self._tell(held)
            self._wake.set()
        return {"offer": held.offer.id, "step": str(held.step)}

    def withdraw(self, camera: str) -> dict[str, Value]:
        """Give an offer up that was not taken yet. Raises KeyError, NotAllowed."""
        if not self._models.knows(camera):
            raise KeyError(camera)
        held = self._held.get(camera)
        if held is None or held.step in (Step.ACTIVE, Step.TRYING):
            what = (
                f"{held.offer.key} is past that ({held.step})" if held is not None else f"no offer for {camera} waits"
            )
            raise NotAllowed(f"there is nothing to withdraw: {what}")
        if camera in self._tasks:
            self._tasks.pop(camera).cancel()
        self._tell(replace(held, step=Step.WITHDRAWN, reason=""))
        return {"withdrawn": held.offer.id}

    def row(self, camera: str) -> dict[str, str] | None:
        """Return the offer that is in hand for a camera."""
        held = self._held.get(camera)
        return (
            {"offer": held.offer.id, "model": held.offer.key, "step": held.step, "reason": held.reason}
            if held
            else None
        )

    async def load(self) -> None:
        """Take up what was in hand when the agent ended."""
        for held in await asyncio.to_thread(self._read):
            if held.step is Step.ACTIVE and self._models.running(held.offer.camera) != held.offer.key:
                reason = "the agent was restarted during its probation, so the model before runs; offer it again"
                self._tell(replace(held, step=Step.INTERRUPTED, reason=reason))
            elif held.step is Step.ACTIVE:
                self._tell(replace(held, step=Step.CONFIRMED, reason=""))
            else:
                self._tell(replace(held, step=Step.RESUMED, reason="the agent was restarted"))
        await self.save()

    async def save(self) -> None:
        """Write down how far the offers are. A disk that fails is told; the offers go on."""
        async with self._saving:
            while self._unsaved:
                camera = self._unsaved.pop()
                try:
                    await asyncio.to_thread(self._write, camera, self._held.get(camera))
                except OSError as error:
                    log.error("an offer cannot be kept", camera=camera, reason=error.strerror or str(error))

    async def run(self) -> None:
        """Carry offers out until cancelled."""
        await self._arrivals.forget([held.offer for held in self._held.values()])
        async with asyncio.TaskGroup() as group:
            self._tasks = {}
            while True:
                self._wake.clear()
                for camera in self._held.keys() - self._tasks.keys():
                    held = self._held[camera]
                    self._tasks[camera] = group.create_task(self._carry(held), name=f"offer for {camera}")
                await self._wake.wait()

    async def _carry(self, held: Held) -> None:
        camera = held.offer.camera
        ends_s = self._clock.now().mono_s + self._give_up_s
        try:
            end = await self._take(held.offer, ends_s)
        except Refused as error:
            end = replace(held, step=Step.REFUSED, reason=str(error))
        self._tasks.pop(camera, None)
        self._tell(end)
        await self.save()
        await self._arrivals.forget([each.offer for each in self._held.values()])
        self._wake.set()  # another one may have been accepted meanwhile

    async def _take(self, offer: Offer, ends_s: float) -> Held:
        """Return how it ended. Raises Refused."""
        model = await self._obtain(offer, ends_s)
        if offer.mode == "activate" and self._models.running(offer.camera) == offer.key == model:
            return await self._watch(offer, "it ran already")
        while True:
            await self._until_free(offer, ends_s)
            await self._go(offer, Step.TRYING)
            outcome = await self._install(offer, model)
            if outcome["action"] == "shadowing":
                return Held(offer, Step.SHADOWING)
            if outcome["action"] == "activated":
                await self._go(offer, Step.ACTIVE)
                return await self._watch(offer)
            if not self._models.busy(offer.camera, offer.mode):
                raise Refused(outcome["reason"])

    async def _obtain(self, offer: Offer, ends_s: float) -> str:
        """Find the bytes, again and again while that may help."""
        waits = delays(FIRST_WAIT_S, LONGEST_WAIT_S)
        try:
            async with asyncio.timeout(ends_s - self._clock.now().mono_s):
                while True:
                    try:
                        return await self._arrivals.find(offer, lambda: self._note(offer, Step.FETCHING))
                    except NotConnected as error:
                        self._note(offer, Step.WAITING, str(error))
                    await self.save()
                    await asyncio.sleep(next(waits))
        except TimeoutError:
            raise self._late(offer) from None

    async def _until_free(self, offer: Offer, ends_s: float) -> None:
        while reason := self._models.busy(offer.camera, offer.mode):
            if self._clock.now().mono_s >= ends_s:
                raise self._late(offer)
            self._note(offer, Step.WAITING, reason)
            await self.save()
            await asyncio.sleep(PERIOD_S)

    async def _install(self, offer: Offer, model: str) -> dict[str, Any]:
        operator = Operator(offer.operator, offer.via, offer.note)
        if offer.mode == "shadow":
            return await self._models.shadow(offer.camera, model, offer.seconds, operator, sha256=offer.sha256)
        return await self._models.activate(offer.camera, model, operator, sha256=offer.sha256)

    async def _watch(self, offer: Offer, reason: str = "") -> Held:
        while self._models.running(offer.camera) == offer.key and self._models.on_probation(offer.camera):
            await asyncio.sleep(PERIOD_S)
        if self._models.running(offer.camera) == offer.key:
            return Held(offer, Step.CONFIRMED, reason)
        return Held(offer, Step.ROLLED_BACK, str(self._models.last(offer.camera).get("reason", "")))

    def _late(self, offer: Offer) -> Refused:
        reason = self._held[offer.camera].reason
        return Refused(f"it was not taken within {self._give_up_s:g} s" + (f": {reason}" if reason else ""))

    async def _go(self, offer: Offer, step: Step) -> None:
        self._note(offer, step)
        await self.save()

    def _note(self, offer: Offer, step: Step, reason: str = "") -> None:
        """Tell a step, unless it is the one that was told last."""
        held = Held(offer, step, reason)
        if held != self._held[offer.camera]:
            self._tell(held)

    def _tell(self, held: Held) -> None:
        """Let the journal know."""
        offer, now = held.offer, self._clock.now()
        if held.step in _ENDS:
            self._held.pop(offer.camera, None)
        else:
            self._held[offer.camera] = held
        self._unsaved.add(offer.camera)
        who = {"name": offer.operator, "via": offer.via, "note": offer.note}
        told = {"offer": offer.id, "camera": offer.camera, "model": offer.key, "sha256": offer.sha256}
        data = {**told, "mode": offer.mode, "step": held.step, "reason": held.reason, "url": offer.url, "operator": who}
        self._recorder.record([EventDraft("model.offer", Lane.STATE, offer.camera, data, now)], ())
        log.info("offer", camera=offer.camera, model=offer.key, step=str(held.step), reason=held.reason)

    def _read(self) -> list[Held]:
        found = []
        for path in sorted(self._folder.glob("*.json")):
            try:
                held = _HELD.validate_json(path.read_bytes())
            except (OSError, ValidationError) as error:
                log.error("an offer cannot be read, and is forgotten", file=path.name, reason=str(error))
                continue
            if self._models.knows(held.offer.camera):
                found.append(held)
        return found

    def _write(self, camera: str, held: Held | None) -> None:
        path = self._folder / f"{camera}.json"
        if held is None:
            path.unlink(missing_ok=True)
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        replace_durably(path, json.dumps(asdict(held)).encode(), path.with_suffix(".new"))
