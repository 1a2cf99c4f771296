"""A camera as a driver: starts its worker process and keeps its newest picture."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from agent.core.errors import NotConnected, Refused
from agent.core.model import PointInfo
from agent.core.options import PointOptions
from agent.core.ports import Clock, Driver, DriverType, EvidenceFile, Session, Sighting
from models.bundle import offered_by
from models.enginebook import EngineBook
from models.engines import Chosen
from models.options import COUNTERS, PACES, CameraOptions
from models.rationing import Load, load_of
from models.session import STALE_S, CameraSession
from models.starting import Starter
from models.trust.faults import WORDS, Effect
from models.vitals import Vitals
from models.vocabulary import Gear, Thing, fact_of
from models.wire import Ready, Report

_EVIDENCE_LIMIT_S = 30.0
"""Beyond the time that a clip takes: the disk may be slow."""
SHADOW_FPS = 2.0
"""Pictures a second of a model in shadow: enough to follow people, less than half of what a camera costs."""
_SHADOW_NICE = 19
"""Alarms come before cameras, and cameras before models that are only tried."""
_WORDS: dict[str, str] = {
    "camera_ok": "pictures arrive and show something",
    "fps": "pictures judged in one second",
    "fps_asked": "pictures that should be judged in one second",
    "fps_granted": "pictures that may be judged in one second, in the budget of vision",
    "sparse": "too few pictures are judged to follow people",
    "received": "pictures read since the worker started",
    "replaced": "pictures overtaken by a newer one",
    "inferred": "pictures that the model looked at",
    "gated": "pictures that were like the last one looked at",
    "skipped": "pictures too old to be judged",
    **{str(fault): words for fault, words in WORDS.items()},
    "persons": "persons seen",
    **{f"no_{gear}": f"persons without {gear} where it is demanded" for gear in Gear},
    **{fact_of(thing): f"seen of {fact_of(thing)}" for thing in Thing},
    "lying_still": "persons who lie and do not move",
    "running": "persons who run",
    "vehicle_near": "persons to whom a vehicle is near",
    "crossed": "crossings of the line within its time",
    "longest_stay": "longest time that one of them is there",
    "loitering": "persons who are there for longer than they should",
    "absent_for": "time since somebody was at the post",
    "unknown_ppe": "persons whose equipment cannot be judged",
}

_UNITS = {"fps": "1/s", "fps_asked": "1/s", "fps_granted": "1/s", "longest_stay": "s", "absent_for": "s"}


def _ignore_session(session: CameraSession) -> None:
    del session


class CameraDriver:
    """Knows one camera; also a PictureSource, and a Witness."""

    def __init__(self, camera: str, options: CameraOptions, clock: Clock) -> None:
        self._camera, self._options, self._clock = camera, options, clock
        self._facts = _facts(options)
        self._faults = [fault for fault, effect in options.effects.items() if effect is not Effect.IGNORE]
        self._picture: bytes | None = None
        self._live: CameraSession | None = None
        self._next: CameraSession | None = None
        """While a model is swapped: the one that is about to be the live one."""
        self._swapping = asyncio.Lock()
        self._starter = Starter(camera, EngineBook(None), clock)
        self.chosen = Chosen()
        """What runs the networks of the worker at work."""
        self.vitals = Vitals()
        self.watcher: Callable[[Report], None] = _ignore
        """Is told, too, what the model at work reports."""
        self.load: Load | None = None
        """What its worker told of its cost last; None before it did."""
        self._shadow: CameraSession | None = None
        self._granted = options.fps
        self.model: Ready | None = None
        """What the last worker said of its model; None until one was loaded."""

    @property
    def points(self) -> Sequence[PointInfo]:
        """What it tells of itself, and the facts of the whole picture and of each zone."""
        return [self._info(name) for name in ("camera_ok", *PACES, *COUNTERS, *self._faults, *self._facts)]

    async def connect(self) -> Session:
        """Start a worker and wait until its model is loaded. Raises NotConnected."""
        if self._live is not None:
            self._starter.ended()
        try:
            session, self.chosen = await self._open(self._options, self._keep)
        except BaseException:
            self.vitals.failed_starts += 1
            self._keep(None)
            raise
        self.vitals.starts += 1
        self.model = session.model
        session.reports = self._note
        session.grant(self._granted)
        self._live = session
        return session

    @property
    def bundle(self) -> Path:
        """The folder of the model in use."""
        return self._options.bundle

    def use(self, bundle: Path) -> None:
        """Take that model from the next connection on. Raises Refused when it cannot judge what is demanded."""
        self._options, self.vitals = self._with(bundle), Vitals()

    async def swap(self, bundle: Path) -> None:
        """Go on with another model and the same people, between two pictures; refused, nothing is changed.

        The old worker is read until the new one has judged a picture. Raises Refused with the reason.
        """
        async with self._swapping:
            options, old = self._with(bundle), self._live
            if old is None:
                raise Refused("the camera is not connected; wait until it is")
            if options.usb_index is not None:  # opened once only: stop, then start; its facts are bad in between
                await self.restart(bundle)
                return
            try:
                new, chosen = await self._open(options, _forget, made=self._expect)
            except NotConnected as error:
                self._next = None
                raise Refused(f"the new worker: {error}") from error
            try:
                new.grant(self._granted)
                await new.follow_up(old)
                if old.is_keeping:
                    raise NotConnected("the evidence of an alarm is being kept; try again when it is")
                if old is not self._live:
                    raise NotConnected("the camera was connected anew meanwhile")
            except NotConnected as error:
                raise Refused(f"the new worker: {error}") from error
            else:
                old.exchange(new)
                self._options, self.chosen, self.model = options, chosen, old.model
                self.vitals = Vitals(starts=1)
            finally:
                self._next = None
                await new.end()

    async def open_shadow(self, bundle: Path, keep: Callable[[bytes | None], None]) -> CameraSession:
        """Start a second worker that looks through this camera with another model, seldom and with least priority.

        ``keep`` is given its pictures, heads pixelated. What it sees goes nowhere but to its session. Raises Refused.
        """
        if self._options.usb_index is not None:
            raise Refused("a USB camera can be opened once only: no second model can look through it")
        pace = {"fps": min(self._options.fps, SHADOW_FPS), "privacy": "heads", "state": None}
        try:
            session, _ = await self._open(self._with(bundle).model_copy(update=pace), keep, _SHADOW_NICE)
        except NotConnected as error:
            raise Refused(f"the second worker: {error}") from error
        self._shadow = session
        return session

    @property
    def shadow_load(self) -> Load | None:
        """What the worker of a model in shadow told of its cost last; None before there was one."""
        report = self._shadow.newest if self._shadow is not None else None
        return load_of(report, report.taken_s) if report is not None else None

    async def restart(self, bundle: Path) -> None:
        """End the worker, so that the next one starts with that model; facts are bad in between. Raises Refused."""
        self.use(bundle)
        if self._live is not None:
            await self._live.end()

    def _with(self, bundle: Path) -> CameraOptions:
        offered = offered_by(bundle)
        wanted = self._options
        lacking = sorted((wanted.demanded - offered.gear) | (wanted.looked_for - offered.things)) if offered else []
        if offered is None or lacking:
            raise Refused(f"it cannot judge {', '.join(lacking)}" if lacking else f"{bundle} has no sound manifest")
        return self._options.model_copy(update={"model": str(bundle)})

    async def _open(
        self,
        options: CameraOptions,
        keep: Callable[[bytes | None], None],
        nice: int | None = None,
        made: Callable[[CameraSession], None] = _ignore_session,
    ) -> tuple[CameraSession, Chosen]:
        """Start a worker; ``made`` is given its session before its model is loaded. Raises NotConnected."""
        limits = (options.timeout, self._clock, keep, self._faults, options.memory_mb)

        def make(process: asyncio.subprocess.Process) -> CameraSession:
            session = CameraSession(process, self._facts, self._camera, *limits)
            made(session)
            return session

        return await self._starter.start(options, make, nice)

    def engines_in(self, folder: Path) -> None:
        """Take what was tried on this machine from there, and let providers keep there what they compile."""
        self._starter.book = EngineBook(folder)

    async def renew(self) -> None:
        """Begin the worker anew beside the old one, on what is best now. Raises Refused."""
        if self._options.usb_index is not None:
            raise Refused("a USB camera can be opened once only; it will begin on it the next time that it begins")
        await self.swap(self.bundle)

    def best(self) -> Chosen:
        """Return what its worker would run on if it began now; asks the disk."""
        return self._starter.best(self._options)

    async def prove(self) -> Sighting:
        """Have the live worker judge a golden picture. Raises NotConnected."""
        if self._live is None:
            raise NotConnected("the vision worker does not run")
        return await self._live.prove()

    async def keep(self, order: str, folder: str, at_s: float) -> AsyncIterator[EvidenceFile]:
        """Have the live worker keep evidence. Raises NotConnected."""
        if self._live is None:
            raise NotConnected("the vision worker does not run")
        limit_s = self._options.clip_after + _EVIDENCE_LIMIT_S
        async for file in self._live.keep(order, folder, at_s, limit_s):
            yield file

    def accept(self) -> None:
        """Take what the camera sees now for its right view. Raises NotConnected."""
        if self._live is None:
            raise NotConnected("the vision worker does not run")
        self._live.accept()
        if self._next is not None:  # it began with the view before, and would remember that one for good
            with suppress(NotConnected):  # then it is not taken
                self._next.accept()

    def picture(self) -> bytes | None:
        """Return the newest annotated frame as JPEG; None while the camera is blind."""
        return self._picture

    @property
    def asked(self) -> float:
        """Pictures a second that it should judge."""
        return self._options.fps

    @property
    def weight(self) -> float | None:
        """How much of its wish it gets, as the site wants it; None where the site says nothing."""
        return self._options.weight

    def grant(self, pace: float) -> None:
        """Have its workers judge so many pictures a second from now on, 0 for none."""
        if pace != self._granted:
            self._granted = pace
            for session in (self._live, self._next):
                if session is not None:
                    session.grant(pace)

    def _expect(self, session: CameraSession) -> None:
        self._next = session

    def _note(self, report: Report) -> None:
        self.vitals.note(report)
        self.load = load_of(report, self._clock.now().mono_s)
        self.watcher(report)

    def _keep(self, jpeg: bytes | None) -> None:
        self._picture = jpeg

    def _info(self, name: str) -> PointInfo:
        zone, _, fact = name.rpartition(".")
        stale_s = max(STALE_S, 3 / self._options.fps)
        return PointInfo(
            f"{self._camera}.{name}",
            unit=_UNITS.get(fact, ""),
            zone=zone or self._options.zone,
            description=_WORDS[fact],
            stale_after_s=stale_s,
        )


def _ignore(report: Report) -> None:
    del report


def _forget(jpeg: bytes | None) -> None:
    del jpeg


def _facts(options: CameraOptions) -> list[str]:
    """Name the facts, ``fact`` or ``zone.fact``. What a zone does not demand has no fact: no rule may wait for it."""
    whole = [*_counted(options.demanded), "unknown_ppe"]
    zones = [f"{name}.{fact}" for name, zone in options.zones.items() for fact in _counted(frozenset(zone.demand))]
    behaviours = [f"{name}.{fact}" for name, zone in options.zones.items() for fact in zone.facts]
    things = [
        f"{zone}{fact_of(thing)}" for zone in ("", *(f"{name}." for name in options.zones)) for thing in options.things
    ]
    return list(dict.fromkeys([*whole, *zones, *behaviours, *things, *(f"{name}.crossed" for name in options.lines)]))


def _counted(demand: frozenset[Gear]) -> list[str]:
    return ["persons", *(f"no_{gear}" for gear in Gear if gear in demand)]


def build(device_id: str, device: Any, points: Mapping[str, Any], clock: Clock) -> Driver:
    """Return a driver for a camera; it has no points of its own to configure."""
    del points
    return CameraDriver(device_id, CameraOptions.model_validate(device), clock)


CAMERA = DriverType("camera", CameraOptions, PointOptions, build)
