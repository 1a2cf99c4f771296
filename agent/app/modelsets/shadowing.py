"""A model that looks through a camera beside the one at work; what it sees drives nothing."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import structlog

from agent.app.modelsets.comparison import Comparison
from agent.app.modelsets.store import ModelStore
from agent.app.modelsets.telling import Outcome, Teller
from agent.core.errors import NotAllowed, NotConnected, Refused
from agent.core.model import Operator
from agent.core.ports import Clock
from models.session import CameraSession
from models.wire import Report

log = structlog.get_logger(__name__)


_MOST_REPORTS = 1000
_TIDY_EVERY_S = 3600.0


class Shadowed(Protocol):
    """A camera's driver as a shadow sees it; see ``models.camera.CameraDriver``."""

    watcher: Callable[[Report], None]

    def picture(self) -> bytes | None:
        """Return the newest picture of the model at work."""

    async def open_shadow(self, bundle: Path, keep: Callable[[bytes | None], None]) -> CameraSession:
        """Start a second worker. Raises Refused."""


@dataclass(frozen=True)
class Plan:
    """Who wants which model beside which, and for how long."""

    camera: str
    model: str
    beside: str
    for_s: float
    operator: Operator


class Shadow:
    """Compares until its time is over, its worker ends, or ``stop`` is called; ``ended`` then says why."""

    def __init__(self, plan: Plan, driver: Shadowed, clock: Clock) -> None:
        self.plan, self.comparison, self.ended = plan, Comparison(), ""
        self._driver, self._clock, self._began = driver, clock, clock.now()
        self._session: CameraSession | None = None
        self._task: asyncio.Task[None] | None = None
        self._at_work: deque[Report] = deque(maxlen=_MOST_REPORTS)
        self._shown: bytes | None = None
        self._report: Report | None = None

    async def start(self, bundle: Path) -> None:
        """Begin, once the second worker has loaded its model. Raises Refused."""
        session = await self._driver.open_shadow(bundle, self._keep)
        session.reports = self._take
        self._session, self._began = session, self._clock.now()
        self._driver.watcher = self._at_work.append  # no more than that where the camera at work is read
        self._task = asyncio.create_task(self._run(session), name=f"{self.plan.camera}.shadow")

    async def stop(self, why: str) -> None:
        """End the second worker; ``why`` counts unless it had ended by itself."""
        self._driver.watcher = _ignore
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
            if not self._task.cancelled() and (fault := self._task.exception()) is not None:
                log.error("a model in shadow was given up", camera=self.plan.camera, exc_info=fault)
                self.ended = f"it failed: {fault!r}"
        if self._session is not None:
            await self._session.end()
        self.ended = self.ended or why

    @property
    def is_over(self) -> bool:
        """Whether it ended by itself."""
        return self._task is not None and self._task.done()

    def row(self) -> dict[str, Any]:
        """Return who is compared, since when, and the result so far."""
        plan, now_s = self.plan, self._clock.now().mono_s
        lasted_s = now_s - self._began.mono_s
        return {
            "camera": plan.camera,
            "model": plan.model,
            "beside": plan.beside,
            "since": self._began.utc.isoformat(),
            "seconds": round(lasted_s, 1),
            "left_s": 0.0 if self.ended else round(max(0.0, plan.for_s - lasted_s), 1),
            "ended": self.ended,
            **self.comparison.row(),
        }

    def pictures(self) -> dict[str, bytes]:
        """Return the pictures on which they differ most, by file name."""
        found = {}
        for number, each in enumerate(self.comparison.differences, 1):
            for whose, jpeg in zip(("at-work", "shadow"), each.look.shown, strict=True):
                if jpeg:
                    found[f"{number}-{whose}.jpg"] = jpeg
        return found

    async def _run(self, session: CameraSession) -> None:
        try:
            async with asyncio.timeout(self.plan.for_s):
                while True:
                    await session.read()
                    self._compare()
        except TimeoutError:
            self.ended = "its time is over"
        except NotConnected as error:
            self.ended = str(error)

    def _compare(self) -> None:
        while self._at_work:
            self.comparison.at_work(self._at_work.popleft())
        if self._report is not None:
            shown = (self._driver.picture(), self._shown)
            self.comparison.shadow(self._report, self._clock.now().utc.isoformat(), shown)
            self._report = None

    def _take(self, report: Report) -> None:
        self._report, self._shown = report, None

    def _keep(self, jpeg: bytes | None) -> None:
        self._shown = jpeg


class Shadows:
    """The one model that is in shadow, if there is one, and how the last ones did. Not to be called at once."""

    def __init__(self, store: ModelStore, clock: Clock, tell: Teller) -> None:
        self._store, self._clock, self._tell = store, clock, tell
        self._shadow: Shadow | None = None
        self._tidy_s = clock.now().mono_s

    def refusal(self) -> str:
        """Return why another one may not begin, or nothing: each costs the processor as a camera does."""
        if self._shadow is None:
            return ""
        plan = self._shadow.plan
        return f"{plan.model} looks through {plan.camera} beside its model; one at a time, so stop it first"

    def row(self, camera: str) -> dict[str, Any] | None:
        """Return what is known of the one that looks through this camera."""
        return self._shadow.row() if self._shadow is not None and self._is_of(camera) else None

    async def comparison(self, camera: str) -> dict[str, Any]:
        """Return what both models said, so far or the last time. Raises NotAllowed when they never did."""
        found = self.row(camera) or await asyncio.to_thread(self._store.comparison, camera)
        if found is None:
            raise NotAllowed(f"no second model looked through {camera} yet; name one to begin")
        return found

    async def start(self, plan: Plan, driver: Shadowed, bundle: Path) -> Outcome:
        """Begin, or tell why not."""
        shadow = Shadow(plan, driver, self._clock)
        try:
            await shadow.start(bundle)
        except Refused as error:
            return self._tell("rejected", plan.camera, plan.model, plan.operator, str(error))
        self._shadow = shadow
        return {
            "action": "shadowing",
            "camera": plan.camera,
            "model": plan.model,
            "previous": plan.beside,
            "reason": "",
        }

    async def look(self) -> None:
        """End what has ended by itself; delete old pictures now and then."""
        now = self._clock.now()
        if now.mono_s >= self._tidy_s:
            self._tidy_s = now.mono_s + _TIDY_EVERY_S
            await asyncio.to_thread(self._store.expire_pictures, now.utc.timestamp())
        if self._shadow is not None and self._shadow.is_over:
            await self.end(self._shadow.ended)

    async def stop(self, camera: str, operator: Operator) -> Outcome:
        """End it, for somebody. Raises NotAllowed when this camera has none."""
        if not self._is_of(camera):
            raise NotAllowed(f"no second model looks through {camera} now")
        return await self.end("somebody wanted it", operator)

    async def end_of(self, camera: str) -> None:
        """End it before the model at work is changed: what it is compared with is another one then."""
        if self._is_of(camera):
            await self.end("the model at work is changed")

    async def end(self, why: str, operator: Operator | None = None) -> Outcome:
        """End it if there is one, keep what was compared, and let the journal know."""
        shadow, self._shadow = self._shadow, None
        if shadow is None:
            return {}
        await shadow.stop(why)
        row = shadow.row()
        try:
            row = await asyncio.to_thread(self._store.keep_comparison, row, shadow.pictures())
        except OSError as error:
            log.warning("a comparison cannot be kept", reason=error.strerror or str(error))
        plan = shadow.plan
        who = operator or plan.operator
        return self._tell("shadowed", plan.camera, plan.model, who, shadow.ended, plan.beside, comparison=row)

    def _is_of(self, camera: str) -> bool:
        return self._shadow is not None and self._shadow.plan.camera == camera


def _ignore(report: Report) -> None:
    del report
