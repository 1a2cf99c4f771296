"""Sends what the journal holds, for ever: to the first of its ends that takes it, and back to a better one."""

from __future__ import annotations

import asyncio
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import structlog

from agent.backoff import delays
from agent.commands import Desk
from agent.core.model import Value
from agent.core.ports import Clock
from agent.journal import Identity, Journal
from agent.links import tls
from agent.links.arrivals import LinkLost
from agent.uplink.file_link import FileLink
from agent.uplink.flight import Attach, Flight
from agent.uplink.link import Link, Message
from agent.uplink.mqtt_link import MqttLink
from agent.uplink.options import UplinkOptions
from agent.uplink.status import UplinkStatus
from agent.uplink.watermark import Watermark
from agent.uplink.web_link import WebLink

log = structlog.get_logger(__name__)

LONGEST_WAIT_S = 5.0
"""Between two attempts to connect: a broker that is back is found soon, and one attempt costs little."""
VIA = "mqtt"
"""What commands come by."""
_PACE_S = 0.1
"""Between two commands: whoever floods us keeps the disk from nothing else."""
_MOST_PATIENT = 5
"""How often the time doubles until a broker is tried again that took us in and answered nothing."""


class Uplink:
    """A broker that is away, slow, full or unwilling delays nothing else."""

    def __init__(
        self, options: UplinkOptions, journal: Journal, who: Identity, clock: Clock, attach: Attach | None = None
    ) -> None:
        self.status = UplinkStatus(False, clock.now().utc)
        self.topic = options.topic.format(site=who.site, gateway=who.gateway, area=who.area)
        self._client_id = options.client_id or f"anshao-{who.gateway}"
        self._options = options
        self._journal = journal
        self._clock = clock
        self._link: Link | None = None
        self._attach = attach
        self._mapping = options.words()
        self._ends: datetime | None = None
        """When our certificate ends, as of the last attempt to connect."""
        self.desk: Desk | None = None
        """Takes commands from above; set it before ``run``."""
        self._watermark = Watermark(journal, clock)
        self._strikes: Counter[str] = Counter()
        """How often a broker took us in, and then acknowledged nothing; others go before it."""

    def values(self) -> Iterator[tuple[str, Value]]:
        """Yield the points of ``agent.uplink.points`` and what they are now."""
        yield "gateway.uplink_online", self.status.online
        if len(self._options.ends) > 1:
            yield "gateway.uplink_preferred", self.status.online and self.status.preferred
        if self._options.watermark:
            yield "gateway.unconfirmed", self._journal.stats.unconfirmed
        if self._ends is not None:
            left = self._ends - self._clock.now().utc
            yield "gateway.certificate_days", round(left.total_seconds() / 86400.0, 1)

    async def run(self) -> None:
        """Connect and drain until cancelled."""
        loop = asyncio.get_running_loop()
        self._journal.on_commit.append(lambda _: _later(loop, self._nudge))
        waits = delays(0.5, LONGEST_WAIT_S)
        while True:
            link = await self._first(sorted(self._options.ends, key=lambda broker: self._strikes[broker]))
            if link is not None:
                waits = delays(0.5, LONGEST_WAIT_S)
            while link is not None:
                link = await self._use(link)
            await asyncio.sleep(next(waits))

    async def _first(self, brokers: Sequence[str], quietly: bool = False) -> Link | None:
        """Return a connection to the first that takes us in; each gets a bounded time."""
        for broker in brokers:
            try:
                self._ends = await asyncio.to_thread(tls.end_of_ours, self._options)
                now = self._clock.now().utc
                link = self._make(broker, await asyncio.to_thread(tls.papers, self._options, broker, now))
            except (OSError, ValueError) as error:  # a password or certificate that cannot be used
                self._offline(broker, f"{broker}: {error}", quietly)
                continue
            try:
                await link.open()
                return link
            except LinkLost as error:
                self._offline(broker, str(error), quietly)
                await link.close(farewell=False)
            except asyncio.CancelledError:
                await link.close(farewell=False)
                raise
        return None

    def _make(self, end: str, papers: tls.Papers) -> Link:
        if self._options.webhook is not None:
            return WebLink(self._options.webhook, self._options.patience, papers)
        if self._options.file is not None:
            return FileLink(self._options.file)
        topics = [f"{self.topic}/ack"] if self._options.watermark else []
        topics += [f"{self.topic}/cmd"] if self.desk is not None else []
        return MqttLink(end, self._options, self._client_id, self.topic, papers, topics, self._mapping)

    async def _use(self, link: Link) -> Link | None:
        """Use a connection for as long as it lasts; return the better one that follows it, if there is one."""
        self._link, better = link, None
        try:
            link.announce()
            self._online(link.name)
            better = await self._drain(link)
        except LinkLost as error:
            self._offline(link.name, str(error))
        except asyncio.CancelledError:
            await link.close(farewell=True)
            raise
        await link.close(farewell=better is not None)
        return better

    async def _drain(self, link: Link) -> Link | None:
        options = self._options
        flight = Flight(link, options.window, options.replay_rate, self.topic, self._journal, self._clock, self._note)
        flight.carry(self._attach, self._mapping)
        better = options.ends[: options.ends.index(link.name)]
        scout = asyncio.create_task(self._scout(better), name="uplink scout") if better else None
        listener = asyncio.create_task(self._listen(link), name="uplink listener")
        found: Link | None = None
        try:
            while not (flight.leaving and flight.is_empty):
                await flight.turn()
                if listener.done():
                    listener.result()  # it ends by a fault only, which is the supervisor's
                flight.leaving = scout is not None and scout.done()
            found = scout.result() if scout is not None else None
        finally:
            await flight.finish()
            listener.cancel()
            self._strikes[link.name] = self._strikes[link.name] + 1 if flight.is_mute else 0
            if scout is not None and found is None:
                await _give_up(scout)
        return found

    async def _scout(self, better: Sequence[str]) -> Link:
        """Return a connection to a broker that is preferred to the one in use, once one takes us in."""
        while True:
            patience = min(self._strikes[broker] for broker in better)
            await asyncio.sleep(self._options.prefer_again * 2 ** min(patience, _MOST_PATIENT))
            link = await self._first(better, quietly=True)
            if link is not None:
                return link

    async def _listen(self, link: Link) -> None:
        """Do what the centre asks for, one thing after the other."""
        while True:
            message = await link.hear()
            try:
                await self._take(link, message)
            except sqlite3.Error:
                await asyncio.sleep(1.0)  # the journal tells of it itself; the centre says it again
                continue
            link.heard(message)
            link.nudge()

    async def _take(self, link: Link, message: Message) -> None:
        if message.topic.endswith("/ack"):
            await self._watermark.take(message)
        elif message.retained:
            log.warning("a retained command is not done: it would be given at each connection", topic=message.topic)
        elif self.desk is not None:
            answer = await self.desk.take(message.body, VIA)
            link.respond(self._answer_topic(message.response_topic), answer, message.correlation)
            await asyncio.sleep(_PACE_S)

    def _answer_topic(self, wanted: str) -> str:
        """Return where an answer goes: nobody makes the gateway write where the site does not want that."""
        own = f"{self.topic}/answer"
        known = (own, *(self.desk.options.answers if self.desk is not None else ()))
        is_known = any(wanted == topic or wanted.startswith(f"{topic}/") for topic in known)
        return wanted if is_known and not set(wanted) & set("#+\0") else own

    def _nudge(self) -> None:
        if self._link is not None:
            self._link.nudge()

    def _note(self, more_sent: int = 0, reason: str | None = None, **changes: Any) -> None:
        if reason is not None:
            if reason and reason != self.status.reason:
                log.warning("uplink refused", broker=self.status.broker, reason=reason)
            changes["reason"] = reason
        self.status = replace(self.status, sent=self.status.sent + more_sent, **changes)

    def _online(self, broker: str) -> None:
        log.info("uplink online", broker=broker)
        preferred = broker == self._options.ends[0]
        now = self._clock.now().utc
        self.status = replace(self.status, online=True, since=now, broker=broker, reason="", preferred=preferred)

    def _offline(self, broker: str, reason: str, quietly: bool = False) -> None:
        if quietly:
            return
        if self.status.online or not self.status.reason:
            log.warning("uplink offline", broker=broker, reason=reason)
            self.status = replace(self.status, since=self._clock.now().utc)
        self.status = replace(self.status, online=False, reason=reason, in_flight=0)


async def _give_up(scout: asyncio.Task[Link]) -> None:
    """End a scout; what it has found is not used."""
    scout.cancel()
    (found,) = await asyncio.gather(scout, return_exceptions=True)
    if not isinstance(found, BaseException):
        await found.close(farewell=False)


def _later(loop: asyncio.AbstractEventLoop, callback: Callable[[], None]) -> None:
    if not loop.is_closed():
        loop.call_soon_threadsafe(callback)
