"""One driver's life: connect, read, mark bad, back off. Retry lives here, once, for every protocol."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import structlog

from agent.backoff import delays
from agent.core.errors import NotConnected
from agent.core.model import PointInfo, Sample, Value
from agent.core.ports import Clock, Driver, Session

log = structlog.get_logger(__name__)

CONNECT_LIMIT_S = 45.0
"""A driver that does not keep its own limit is cut off here (a vision worker may load its model for long)."""
READ_LIMIT_S = 120.0
WRITE_LIMIT_S = 10.0
_STEADY_AFTER_S = 10.0


class Link(StrEnum):
    """State of the connection to a device."""

    CONNECTING = "connecting"
    ONLINE = "online"
    OFFLINE = "offline"


@dataclass
class LinkState:
    """What the runner knows of its device. ``since`` is UTC."""

    link: Link
    since: datetime
    reason: str = ""


def online_point(device: str) -> PointInfo:
    """Return the point that tells whether ``device`` can be read: GOOD true or false, never unknown once tried."""
    return PointInfo(f"{device}.online", description=f"connection to {device}")


class Runner:
    """Reads one device for ever and hands every batch to ``ingest``, synchronously.

    ``on_link(device, online, reason)`` is called once when it is lost and once when it is back.
    """

    def __init__(
        self,
        device: str,
        driver: Driver,
        clock: Clock,
        ingest: Callable[[Sequence[Sample]], None],
        on_link: Callable[[str, bool, str], None],
    ) -> None:
        self.device = device
        self.driver = driver
        self.state = LinkState(Link.CONNECTING, clock.now().utc)
        self._clock = clock
        self._ingest = ingest
        self._on_link = on_link
        self._connected_s: float | None = None
        self._session: Session | None = None

    async def run(self) -> None:
        """Connect and read until cancelled; a device that fails is retried, a driver with a bug is raised."""
        waits = delays()
        while True:
            self._connected_s = None
            try:
                await self._live()
            except NotConnected as error:
                self._lost(str(error))
            except Exception:
                self._lost("the driver failed; see the log")
                raise
            if self._was_steady():
                waits = delays()
            await asyncio.sleep(next(waits))

    async def write(self, point: str, value: Value) -> None:
        """Write on the connection that reads, and take in what is there then.

        Raises NotConnected (the outcome is unknown, unless there was no connection at all) or Refused.
        """
        session = self._session
        if session is None or self._connected_s is None:
            raise NotConnected(f"{self.device} is not connected: nothing was written")
        await _within(WRITE_LIMIT_S, session.write(point, value), "writing took")
        with suppress(NotConnected):  # whoever reads will notice
            samples = await _within(WRITE_LIMIT_S, session.fetch([point]), "reading back took")
            if self._session is session:  # else all is unknown again
                self._ingest(samples)

    def _was_steady(self) -> bool:
        return self._connected_s is not None and self._clock.now().mono_s - self._connected_s > _STEADY_AFTER_S

    async def _live(self) -> None:
        session = await _within(CONNECT_LIMIT_S, self.driver.connect(), "connecting took")
        async with aclosing(Closing(session)):
            self._session = session
            try:
                while True:
                    batch = await _within(READ_LIMIT_S, session.read(), "no sign of life for")
                    self._received(batch)
            finally:
                self._session = None

    def _received(self, batch: Sequence[Sample]) -> None:
        if self._connected_s is not None:
            self._ingest(batch)
            return
        now = self._clock.now()
        if self.state.link is Link.OFFLINE:
            log.info("device back", device=self.device)
        self.state = LinkState(Link.ONLINE, now.utc)
        self._on_link(self.device, True, "")
        self._connected_s = now.mono_s
        self._ingest([*batch, Sample.good(f"{self.device}.online", True, now)])

    def _lost(self, reason: str) -> None:
        now = self._clock.now()
        if self.state.link is not Link.OFFLINE:
            log.warning("device lost", device=self.device, reason=reason)
            self.state = LinkState(Link.OFFLINE, now.utc, reason)
            self._on_link(self.device, False, reason)
        self.state.reason = reason
        bad = [Sample.bad(point.id, reason, now) for point in self.driver.points]
        self._ingest([*bad, Sample.good(f"{self.device}.online", False, now)])


class Closing:
    """Lets ``aclosing`` close a session."""

    def __init__(self, session: Session) -> None:
        self.session = session

    async def aclose(self) -> None:
        """Close the session."""
        await self.session.close()


async def _within(limit_s: float, doing: Any, what: str) -> Any:
    try:
        async with asyncio.timeout(limit_s):
            return await doing
    except TimeoutError as error:
        raise NotConnected(f"{what} more than {limit_s:g} s") from error
