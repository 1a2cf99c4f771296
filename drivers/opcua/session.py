"""A live OPC UA session: what the contract of ``agent.core.ports.Session`` asks for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from asyncua import ua
from asyncua.ua.attribute_ids import AttributeIds
from asyncua.ua.object_ids import ObjectIds
from asyncua.ua.status_codes import StatusCodes

from agent.core.errors import NotConnected, Refused
from agent.core.model import Sample, Value
from agent.core.ports import Clock, Offer
from drivers.opcua.browsing import browse
from drivers.opcua.calls import UNREADABLE, Calls, plainly
from drivers.opcua.conditions import Conditions
from drivers.opcua.device import OpcUaDevice
from drivers.opcua.items import Item, Items
from drivers.opcua.options import OpcUaPoint
from drivers.opcua.structures import Structures
from drivers.opcua.subscription import LIFE_S, Subscription
from drivers.opcua.values import to_sample, to_variant
from drivers.opcua.watch import Watch
from drivers.opcua.writing import Writer

LEVEL_EVERY_S = 2.0
DAYS_EVERY_S = 3600.0
_LEVEL = ua.NodeId(ua.Int32(ObjectIds.Server_ServiceLevel))
_STATE = ua.NodeId(ua.Int32(ObjectIds.Server_ServerStatus_State))
_UNMONITORED = {
    StatusCodes.BadMonitoringModeInvalid,
    StatusCodes.BadAttributeIdInvalid,
    StatusCodes.BadNotSupported,
    StatusCodes.BadMonitoredItemFilterUnsupported,
    StatusCodes.BadTooManyMonitoredItems,
}
"""A server that says so may still be read."""


class OpcUaSession:
    """The subscription begins with the first ``read``: who only writes has none."""

    def __init__(self, calls: Calls, device: OpcUaDevice, points: Mapping[str, OpcUaPoint], clock: Clock) -> None:
        self._calls, self._client, self._device, self._clock = calls, calls.client, device, clock
        self.endpoint = calls.endpoint
        self.level = 255
        """The server's ServiceLevel when it was last asked, 0 to 255."""
        self.least_level = 0
        """Below this level another server is tried; 0: there is no other."""
        self.certificate_ends: datetime | None = None
        self.days_point = ""
        self._items = Items(points)
        self._structures = Structures(calls)
        self._writer = Writer(self._calls)
        self._subscription: Subscription | None = None
        self._watch: Watch | None = None
        self._conditions: Conditions | None = None
        self._extra: list[Sample] = []
        self._polled: dict[ua.NodeId, list[Item]] = {}
        self._next_poll_s = 0.0
        self._next_level_s = self._next_days_s = 0.0

    async def open(self) -> None:
        """Connect, and find the nodes of all points. Raises NotConnected."""
        await self._calls.limited(self._client.connect())
        if len(self._device.endpoint) > 1:
            self.level = await self._service_level()
        await self._items.resolve(self._calls)
        await self._structures.declared(
            [item.node for item in self._items.variables if item.options.field and item.node]
        )

    async def read(self) -> Sequence[Sample]:
        """Return every point at first, then what changed; an empty batch is a sign of life, asked of the server."""
        if self._subscription is None:
            return await self._begin()
        try:
            async with asyncio.timeout(self._patience_s()):
                await self._subscription.wake.wait()
        except TimeoutError:
            await self._calls.read([_STATE], AttributeIds.Value)  # a socket may be open and the server frozen
            self._subscription.check_heart()
        await self._check_level()
        samples = await self._news(self._subscription)
        return [*samples, *await self._poll(), *await self._look_after(self._subscription)]

    async def fetch(self, points: Collection[str]) -> Sequence[Sample]:
        """Read these points now."""
        items = [self._items.by_id[id_] for id_ in points]
        nodes = list(dict.fromkeys(item.node for item in items if item.node))
        found = await self._values(nodes)
        return await self._samples((item, found[item.node] if item.node else None) for item in items)

    async def _values(self, nodes: Sequence[ua.NodeId]) -> dict[ua.NodeId, ua.DataValue]:
        return dict(zip(nodes, await self._calls.read(nodes, AttributeIds.Value), strict=True))

    async def write(self, point: str, value: Value) -> None:
        """Write the value alone, without status and time stamps, in the node's own type."""
        item = self._items.by_id[point]
        if item.node is None or item.kind is None:
            raise Refused(item.reason or f"{point} is not 'writable' in the site's file")
        try:
            variant = to_variant(value, item.kind, item.scaling)
        except ValueError as error:
            raise Refused(str(error)) from error
        await self._writer.write(item, variant)

    def browse(self, path: str) -> AsyncIterator[Offer]:
        """See ``agent.core.ports.Browsable``."""
        return browse(self._calls, path)

    async def close(self) -> None:
        """Say good-bye if the server listens, and close the socket in any case."""
        try:
            async with asyncio.timeout(0.7):
                await plainly(self._client.disconnect())
        except TimeoutError:
            return
        finally:
            self._client.disconnect_socket()

    async def _begin(self) -> Sequence[Sample]:
        """Read everything once, then subscribe to what is not polled."""
        found = await self._values(list(self._items.by_node))
        first = await self._samples((item, found[item.node] if item.node else None) for item in self._items.variables)
        subscription = Subscription(self._calls, self._device, self._clock)
        await subscription.open(min(self._device.sampling, LIFE_S))
        self._subscription = subscription
        if not subscription.is_supported:
            self._polled = dict(self._items.by_node)
            now, reason = self._clock.now(), "the server has no subscriptions, and so tells of no conditions"
            first = [*first, *(Sample.bad(item.id, reason, now) for item in self._items.conditions)]
            return [*first, *self._days_left()]
        monitored = {node: items for node, items in self._items.by_node.items() if not self._is_polled(items)}
        self._polled = {node: items for node, items in self._items.by_node.items() if node not in monitored}
        self._watch = Watch(self._calls, subscription, monitored, self._device.watchdog, self._clock)
        unreadable = [node for node in monitored if found[node] is UNREADABLE]
        self._refused(
            await subscription.add((node, items) for node, items in monitored.items() if node not in unreadable)
        )
        for node in unreadable:
            self._watch.missing(node)
        if self._items.conditions:
            self._conditions = Conditions(self._calls, subscription, self._items.conditions)
            first = [*first, *await self._conditions.open(self._clock.now())]
        return [*first, *self._days_left()]

    async def _check_level(self) -> None:
        """Leave a server that is not well while another may be."""
        now_s = self._clock.now().mono_s
        if not self.least_level or now_s < self._next_level_s:
            return
        self._next_level_s = now_s + LEVEL_EVERY_S
        self.level = await self._service_level()
        if self.level < self.least_level:
            raise NotConnected(f"{self.endpoint}: its service level fell to {self.level}; another server is tried")

    async def _service_level(self) -> int:
        (data,) = await self._calls.read([_LEVEL], AttributeIds.Value)
        value = data.Value.Value if data.Value is not None else None
        return int(value) if isinstance(value, int) else 255

    def _days_left(self) -> Iterator[Sample]:
        """Yield how long the certificates last, now and then."""
        now = self._clock.now()
        if self.certificate_ends is not None and now.mono_s >= self._next_days_s:
            self._next_days_s = now.mono_s + DAYS_EVERY_S
            days = (self.certificate_ends - now.utc).total_seconds() / 86400
            yield Sample.good(self.days_point, round(days, 1), now)

    def _is_polled(self, items: Sequence[Item]) -> bool:
        return any((item.options.mode or self._device.mode) == "poll" for item in items)

    def _refused(self, refused: Mapping[ua.NodeId, ua.StatusCode]) -> None:
        """A node that cannot be monitored is polled if it may be readable, else it is bad and tried again."""
        now = self._clock.now()
        for node, status in refused.items():
            items = self._items.by_node[node]
            if status.value in _UNMONITORED:
                self._polled[node] = items
            else:
                self._extra += [Sample.bad(item.id, status.name, now) for item in items]
                if self._watch is not None:
                    self._watch.missing(node)

    def _patience_s(self) -> float:
        due_s = self._next_poll_s - self._clock.now().mono_s
        return 0.0 if self._extra else min(LIFE_S, max(due_s, 0.001)) if self._polled else LIFE_S

    async def _news(self, subscription: Subscription) -> list[Sample]:
        found, self._extra = self._extra, []
        by_node = self._items.by_node
        found += await self._samples((item, data) for node, data in subscription.take() for item in by_node[node])
        found += self._days_left()
        if self._conditions is not None:
            found += self._conditions.news(subscription.take_events(), self._clock.now())
        return found

    async def _poll(self) -> list[Sample]:
        """Read what is not monitored, at its cadence."""
        now_s = self._clock.now().mono_s
        if not self._polled or now_s < self._next_poll_s:
            return []
        self._next_poll_s = max(self._next_poll_s + self._device.sampling, now_s)
        values = await self._calls.read(list(self._polled), AttributeIds.Value)
        pairs = zip(self._polled.values(), values, strict=True)
        return await self._samples((item, data) for items, data in pairs for item in items)

    async def _look_after(self, subscription: Subscription) -> list[Sample]:
        """Find items that fell silent and nodes that appeared, a few at a time."""
        if self._watch is None:
            return []
        found = await self._watch.look()
        if found:
            subscription.wake.set()
        return await self._samples((item, data) for node, data in found for item in self._items.by_node[node])

    async def _samples(self, values: Iterable[tuple[Item, ua.DataValue | None]]) -> list[Sample]:
        """Return samples; a structure in them whose type was not met before is asked for first."""
        pairs, now, decode = list(values), self._clock.now(), self._structures.decode
        while True:
            made = [
                to_sample(item.id, item.options, item.scaling, data, now, decode)
                if data is not None
                else Sample.bad(item.id, item.reason or "unknown until the server tells of it", now)
                for item, data in pairs
            ]
            if not self._structures.wanted:
                return made
            await self._structures.learn()
