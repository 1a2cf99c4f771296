"""Runs the edge node: one broker after the other, births once the primary host is there, then what changes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from math import inf

import structlog

from agent.backoff import delays
from agent.core.model import EventDraft, Instant, Lane
from agent.core.ports import Clock
from agent.links import tls
from agent.links.arrivals import LinkLost
from agent.sparkplug.bdseq import Connections
from agent.sparkplug.commands import Commands, rebirths
from agent.sparkplug.kept import Kept
from agent.sparkplug.link import Heard, Link
from agent.sparkplug.node import Node
from agent.sparkplug.options import SparkplugOptions
from agent.sparkplug.scout import Scout
from agent.sparkplug.session import Host, Message, Names

log = structlog.get_logger(__name__)

TICK_S = 0.25
START_S = 1.0
"""Before the first connection, so that the first births know the types of what the gateway says of itself."""
HOST_LIMIT_S = 10.0
"""How long the state of the primary host is waited for before the next of several brokers is tried."""
LONGEST_WAIT_S = 5.0
MOST_UNSENT = 1000
"""Messages that wait for a slow line; while there are more, changes wait here, where they are bounded."""
REBIRTH_EVERY_S = 1.0
"""A host that asks faster waits for so long, and hears nothing else meanwhile."""
STEADY_AFTER_S = 10.0
"""A session that lasted so long lets the next attempts come fast again: two nodes of one name do not storm a broker."""
LOSS_EVERY_S = 3600.0
"""While nobody can be told for long, changes that had to go are told of once an hour."""


class HostOffline(Exception):  # noqa: N818 - a state
    """The primary host is not there; another broker may have it."""


class Preferred(Exception):  # noqa: N818 - a state
    """A better broker is there; its address is all that it says."""


@dataclass(frozen=True)
class EdgeStatus:
    """``online``: the births were sent. ``since`` is UTC; ``reason`` tells why it is not."""

    online: bool
    since: datetime
    broker: str = ""
    reason: str = ""
    sent: int = 0
    kept: int = 0


class Edge:
    """Tells one host after the other what changes. Nothing waits for it: ``node.hear`` only takes note."""

    def __init__(
        self,
        options: SparkplugOptions,
        names: Names,
        node: Node,
        commands: Commands,
        connections: Connections,
        kept: Kept,
        record: Callable[[EventDraft], None],
        clock: Clock,
    ) -> None:
        self.status = EdgeStatus(False, clock.now().utc)
        self.commands = commands
        self._options, self._names, self._node, self._connections = options, names, node, connections
        self._kept, self._record, self._clock = kept, record, clock
        self._client_id = options.client_id or f"anshao-{names.node}-sparkplug"
        self._scout = Scout(options.brokers, options.prefer_again, options.patience)
        self._better = ""
        """The broker to try next, because it is there and preferred."""
        self._rebirth = False
        self._born_s = self._began_s = inf
        self._looked_s = self._told_loss_s = clock.now().mono_s

    async def run(self) -> None:
        """Connect and tell until cancelled."""
        waits, brokers, place = delays(0.5, LONGEST_WAIT_S), self._options.brokers, 0
        try:
            await self._recall()
            await self._rest(START_S)
            while True:
                self._better = ""
                if await self._try(brokers[place]) > STEADY_AFTER_S:
                    self._scout.found_good(brokers[place])
                    waits = delays(0.5, LONGEST_WAIT_S)
                place = brokers.index(self._better) if self._better else (place + 1) % len(brokers)
                if not place and not self._better:
                    await self._rest(next(waits))
        finally:
            self._node.lost(self._now())  # what came since the last look is kept, too
            if not await self._kept.end(self._node.history, self._now()):
                self._node.history.give_up()
            self._tell_loss("the agent stops")

    async def _recall(self) -> None:
        samples, damaged = await self._kept.load(self._now())
        self._node.recall(samples)
        if damaged:
            reason = f"what was kept before the restart is damaged in {damaged} place(s): as many changes, or more"
            data = {"scope": "sparkplug", "count": damaged, "reason": reason}
            self._record(EventDraft("loss", Lane.STATE, "sparkplug", data, self._now()))

    async def _rest(self, seconds: float) -> None:
        until_s = self._now().mono_s + seconds
        while (left_s := until_s - self._now().mono_s) > 0:
            await asyncio.sleep(min(left_s, TICK_S))
            await self._look_back()

    async def _look_back(self) -> None:
        """Nobody can be told now: keep what changes, some of it at a time."""
        now = self._now()
        list(self._node.look(now))
        while self._node.is_behind:
            await asyncio.sleep(0)
            list(self._node.look(now))
        await self._kept.look(self._node.history, now)
        self.status = replace(self.status, kept=self._node.history.count)
        if now.mono_s - self._told_loss_s > LOSS_EVERY_S:
            self._tell_loss("nobody could be told")

    async def _try(self, broker: str) -> float:
        """Use one broker for as long as it lasts; tell for how many seconds the node was born there."""
        number = await asyncio.to_thread(self._connections.next)
        try:
            papers = await asyncio.to_thread(tls.papers, self._options, broker, self._now().utc)
            link = Link(broker, self._options, self._client_id, self._node.connects(self._names, number), papers)
        except (OSError, ValueError) as error:  # a password or certificate that cannot be read
            self._offline(broker, str(error))
            return 0.0
        self._began_s, is_lost, is_stop = inf, False, False
        try:
            await link.open(self._topics())
            await self._wait_for_host(link, host := Host(self._options.primary_host))
            await self._serve(link, host)
        except LinkLost as error:
            is_lost = True
            self._offline(broker, str(error))
        except HostOffline as error:
            self._offline(broker, str(error))
        except Preferred as better:
            self._better = str(better)
            self._offline(broker, f"{better} is there, and preferred")
        except asyncio.CancelledError:
            is_stop = True
            self._tell_the_last(link)
            self._offline(broker, "stopped")
            raise
        finally:
            lived_s = self._now().mono_s - self._began_s
            if link.has_asked:
                self._connections.used(number)
            await self._leave(link, is_lost, is_stop)
        return lived_s

    def _tell_the_last(self, link: Link) -> None:
        if self._node.is_born and link.unsent < MOST_UNSENT:
            with suppress(LinkLost):
                for message in self._node.look(self._now()):
                    link.publish(message)

    async def _leave(self, link: Link, is_lost: bool, is_stop: bool) -> None:
        """Die, unless the broker has told it already, and close; in MQTT 3.1.1 a DISCONNECT makes it forget the will.

        What was told before a death that the broker confirms has arrived there. But a host that is offline may
        have missed it.
        """
        is_confirmed = await link.close(None if is_lost else self._node.death(self._now()))
        if is_confirmed and is_stop:
            self._node.settle()
        self._node.lost(self._now())

    def _topics(self) -> list[str]:
        devices = self._node.catalogue.writable_devices()
        host = Host(self._options.primary_host)
        topics = [self._names.topic("NCMD"), *(self._names.topic("DCMD", device) for device in devices if device)]
        return [*topics, host.topic] if host.id else topics

    async def _wait_for_host(self, link: Link, host: Host) -> None:
        """Raises HostOffline when it is not there and another broker may have it, LinkLost."""
        until_s, is_only = self._now().mono_s + HOST_LIMIT_S, len(self._options.brokers) == 1
        while not host.is_online:
            what = "offline" if host.stamp_ms is not None else "not known"
            reason = f"{link.broker}: the primary host {host.id} is {what}"
            self._offline(link.broker, reason)
            if not is_only and (host.stamp_ms is not None or self._now().mono_s > until_s):
                raise HostOffline(reason)
            for heard in await link.heard(TICK_S):
                host.hears(heard.topic, heard.body)
            await self._look_back()

    async def _serve(self, link: Link, host: Host) -> None:
        """Tell for as long as it lasts. Raises HostOffline, LinkLost, Preferred."""
        scout = asyncio.create_task(self._scout.look_out(link.broker), name="sparkplug scout")
        try:
            await self._tell(link, host, scout)
        finally:
            scout.cancel()

    async def _tell(self, link: Link, host: Host, scout: asyncio.Task[str]) -> None:
        """Tell births, then changes."""
        self._rebirth, self._born_s, self._began_s = True, -inf, self._now().mono_s
        while True:
            now = self._now()
            count = 0
            for count, message in enumerate(self._due(link, now), 1):  # noqa: B007 - counted
                link.publish(message)
                await asyncio.sleep(0)  # whoever sounds a siren goes first
            if not self.status.online:
                self._online(link.broker)
            self.status = replace(self.status, sent=self.status.sent + count, kept=self._node.history.count)
            await self._kept.look(self._node.history, now)
            for heard in await link.heard(0.0 if count and self._node.is_behind else TICK_S):
                self._hears(heard, host)
            if not host.is_online:
                raise HostOffline(f"{link.broker}: the primary host {host.id} is offline")
            if scout.done():
                raise Preferred(scout.result())
            if link.missed:
                self.commands.refuse("gateway", {"messages": link.missed}, "more came at once than can be looked at")
                link.missed = 0

    def _due(self, link: Link, now: Instant) -> Iterator[Message]:
        """Yield what is to be sent now; while the line is slow changes wait in the node, where they are bounded."""
        if self._rebirth:
            if now.mono_s - self._born_s < REBIRTH_EVERY_S:
                return
            self._rebirth = False
            self._looked_s = self._born_s = now.mono_s
            yield from self._node.births(now)
            self._tell_loss("nobody could be told")
        elif link.unsent < MOST_UNSENT:
            if now.mono_s - self._looked_s >= self._options.period or self._node.is_urgent(now):
                self._looked_s = now.mono_s
                yield from self._node.look(now)
            yield from self._node.flush(now)

    def _hears(self, heard: Heard, host: Host) -> None:
        host.hears(heard.topic, heard.body)
        if heard.topic == self._names.topic("NCMD"):
            self._hears_for_node(heard)
        elif heard.topic.startswith(self._names.topic("DCMD") + "/"):
            self.commands.take(heard.topic.rpartition("/")[2], heard.body, heard.retained)

    def _hears_for_node(self, heard: Heard) -> None:
        """A request to be born again may come at any time; nothing else of the node is written from afar."""
        try:
            for refusal in rebirths(heard.body) if not heard.retained else ("the broker kept it from earlier",):
                if refusal:
                    self.commands.refuse("gateway", {}, refusal)
                else:
                    log.info("born again, as a host asks", broker=self.status.broker)
                    self._rebirth = True
        except ValueError as error:
            self.commands.refuse("gateway", {}, str(error))

    def _tell_loss(self, reason: str) -> None:
        now = self._now()
        self._told_loss_s = now.mono_s
        lost = self._node.history.take_dropped()
        if lost is not None:
            data = {"scope": "sparkplug", "count": lost.changes, "reason": reason}
            data |= {"first_at": lost.first.isoformat(), "last_at": lost.last.isoformat()}
            self._record(EventDraft("loss", Lane.STATE, "sparkplug", data, now))

    def _now(self) -> Instant:
        return self._clock.now()

    def _online(self, broker: str) -> None:
        log.info("sparkplug online", broker=broker)
        self.status = replace(self.status, online=True, since=self._now().utc, broker=broker, reason="")

    def _offline(self, broker: str, reason: str) -> None:
        if self.status.online or not self.status.reason:
            log.warning("sparkplug offline", broker=broker, reason=reason)
            self.status = replace(self.status, since=self._now().utc)
        self.status = replace(self.status, online=False, broker=broker, reason=reason)
