"""A subscription and its monitored items: what changed, what is missing, and whether it is alive.

Notifications are taken straight from the publish responses. The library's own handler makes a task for
each of them, which at ten thousand changes a second costs more than all the rest.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import structlog
from asyncua import ua
from asyncua.ua.attribute_ids import AttributeIds
from asyncua.ua.object_ids import ObjectIds
from asyncua.ua.status_codes import StatusCodes
from asyncua.ua.uaerrors import UaStructParsingError

from agent.core.errors import NotConnected
from agent.core.ports import Clock
from drivers.opcua.calls import Calls
from drivers.opcua.device import OpcUaDevice
from drivers.opcua.filters import REFUSALS, OwnFilter, filter_of
from drivers.opcua.items import Item

log = structlog.get_logger(__name__)
LIFE_S = 1.0
"""A batch at least this often, also when nothing changes."""
LIFETIME_S = 30.0
"""A server forgets our session and subscription so long after the gateway died."""
_NONE_AT_ALL = {StatusCodes.BadServiceUnsupported, StatusCodes.BadTooManySubscriptions}
_CLOCK_HANDLE = 1
_MOST_AT_ONCE = 250
"""Notifications in one message: decoding more would keep others from the loop for long."""
CLOCK = ua.NodeId(ua.Int32(ObjectIds.Server_ServerStatus_CurrentTime))
Note = tuple[ua.NodeId, ua.DataValue]


class Subscription:
    """One subscription with an item for each node, and one for the server's clock: its heart-beat."""

    def __init__(self, calls: Calls, device: OpcUaDevice, clock: Clock) -> None:
        self._calls, self._device, self._clock = calls, device, clock
        self.id = 0
        self.is_supported = True
        """False after ``open`` if the server has none; it is polled then."""
        self.lost = ""
        self.heard_s = clock.now().mono_s
        self.wake = asyncio.Event()
        self.last: dict[ua.NodeId, ua.DataValue] = {}
        """What was last notified of each node."""
        self._notes: list[Note] = []
        self._events: list[ua.EventFieldList] = []
        self._nodes: dict[int, ua.NodeId] = {}
        self._items: dict[ua.NodeId, int] = {}
        self._handle = _CLOCK_HANDLE
        self._has_clock = False
        self._filters: dict[ua.NodeId, OwnFilter] = {}
        self._told_of_filter = False

    async def open(self, terms_s: float) -> None:
        """Create the subscription, publishing every ``terms_s`` seconds. Raises NotConnected."""
        session = self._calls.client.uaclient.session
        self._guard(session)
        try:
            result = await self._calls.limited(session.create_subscription(_terms(terms_s), self._published))
        except NotConnected as error:
            if getattr(error.__cause__, "code", None) not in _NONE_AT_ALL:
                raise
            log.warning("server has no subscriptions, polling it", endpoint=self._calls.endpoint)
            self.is_supported = False
            return
        self.id = result.SubscriptionId
        beat = _request(CLOCK, _CLOCK_HANDLE, 0.5, 1, None)
        results = await self._calls.create_items(self.id, [beat])
        self._has_clock = not results[0].StatusCode.is_bad()
        self.heard_s = self._clock.now().mono_s

    def _guard(self, session: Any) -> None:
        """Let a notification that cannot be decoded be a loss; the library would drop it without a word."""
        publish = session.publish

        async def guarded(acks: list[ua.SubscriptionAcknowledgement]) -> ua.PublishResponse:
            try:
                response: ua.PublishResponse = await publish(acks)
            except UaStructParsingError:
                self.lost = "it sent a notification that cannot be decoded"
                self.wake.set()
                raise
            return response

        session.publish = guarded

    async def add(self, nodes: Iterable[tuple[ua.NodeId, Sequence[Item]]]) -> dict[ua.NodeId, ua.StatusCode]:
        """Monitor nodes; return those that the server refuses, and why. Raises NotConnected."""
        wanted = list(nodes)
        refused = await self._create([self._item(node, items) for node, items in wanted])
        plain = [(node, items) for node, items in wanted if self._filters_itself(node, items, refused)]
        if plain:
            self._tell_of_filter(plain[0][0], refused[plain[0][0]], len(plain))
            again = await self._create([self._item(node, items, is_filtered=False) for node, items in plain])
            refused = {node: status for node, status in refused.items() if node not in dict(plain)} | again
        return refused

    def _filters_itself(
        self, node: ua.NodeId, items: Sequence[Item], refused: Mapping[ua.NodeId, ua.StatusCode]
    ) -> bool:
        """Tell whether the server refused only the filter of a node, which is ours then."""
        self._filters.pop(node, None)
        wanted = filter_of(items)
        if wanted is None or node not in refused or refused[node].value not in REFUSALS:
            return False
        self._filters[node] = OwnFilter(wanted)
        return True

    def _tell_of_filter(self, node: ua.NodeId, status: ua.StatusCode, nodes: int) -> None:
        if not self._told_of_filter:
            what = "server refuses deadband or trigger, applied here; percentages let all pass"
            log.warning(what, endpoint=self._calls.endpoint, node=node.to_string(), nodes=nodes, status=status.name)
        self._told_of_filter = True

    async def _create(self, requests: Sequence[ua.MonitoredItemCreateRequest]) -> dict[ua.NodeId, ua.StatusCode]:
        refused: dict[ua.NodeId, ua.StatusCode] = {}
        results = await self._calls.create_items(self.id, requests)
        for request, result in zip(requests, results, strict=True):
            node = request.ItemToMonitor.NodeId
            if result.StatusCode.is_bad():
                refused[node] = result.StatusCode
                continue
            self._items[node] = result.MonitoredItemId
            self._tell_if_slow(node, request.RequestedParameters.SamplingInterval, result.RevisedSamplingInterval)
        return refused

    async def add_events(self, notifier: ua.NodeId, wanted: ua.EventFilter) -> ua.StatusCode:
        """Monitor the events of a node; return what the server says of that. Raises NotConnected."""
        self._handle += 1
        request = _request(notifier, self._handle, 0.0, 1000, wanted)
        request.ItemToMonitor.AttributeId = ua.UInt32(AttributeIds.EventNotifier)
        (result,) = await self._calls.create_items(self.id, [request])
        status: ua.StatusCode = result.StatusCode
        return status

    async def renew(self, node: ua.NodeId, items: Sequence[Item]) -> bool:
        """Delete the item of a node and monitor it anew, alone; tell if the server refuses. Raises NotConnected."""
        item = self._items.pop(node, None)
        if item is not None:
            await self._calls.delete_items(self.id, [item])
        return bool(await self.add([(node, items)]))

    def take(self) -> list[Note]:
        """Return what was notified since the last call. Raises NotConnected when the subscription is dead."""
        if self.lost:
            raise NotConnected(f"{self._calls.endpoint}: {self.lost}")
        self.wake.clear()
        notes, self._notes = self._notes, []
        return notes

    def take_events(self) -> list[ua.EventFieldList]:
        """Return the events since the last call."""
        events, self._events = self._events, []
        return events

    def patience_s(self, items: Sequence[Item]) -> float:
        """Return how long a change of a node may take to be told."""
        return 3 * self._sampling_s(items) + LIFE_S

    def check_heart(self) -> None:
        """Raise NotConnected when a server that answers does not publish any more."""
        silent_s = self._clock.now().mono_s - self.heard_s
        if self._has_clock and silent_s > 3 * LIFE_S + self._device.timeout:
            raise NotConnected(f"{self._calls.endpoint}: the subscription is silent for {silent_s:.0f} s")

    async def _published(self, result: ua.PublishResult) -> None:
        """Keep what came (called by asyncua, which would swallow an error: it is judged by who reads)."""
        self.heard_s = self._clock.now().mono_s
        for data in result.NotificationMessage.NotificationData or ():
            if isinstance(data, ua.DataChangeNotification):
                self._changed(data.MonitoredItems)
            elif isinstance(data, ua.EventNotificationList):
                self._events += data.Events
                self.wake.set()
            elif isinstance(data, ua.StatusChangeNotification) and data.Status.is_bad():
                self.lost = f"the subscription ended: {data.Status.name}"
                self.wake.set()

    def _changed(self, items: Collection[ua.MonitoredItemNotification]) -> None:
        for item in items:
            node = self._nodes.get(item.ClientHandle)
            if node is not None and item.Value is not None:
                own = self._filters.get(node)
                if own is not None and not own.passes(item.Value, self.last.get(node)):
                    continue
                self._notes.append((node, item.Value))
                self.last[node] = item.Value
        if self._notes:
            self.wake.set()

    def _item(self, node: ua.NodeId, items: Sequence[Item], is_filtered: bool = True) -> ua.MonitoredItemCreateRequest:
        self._handle += 1
        self._nodes[self._handle] = node
        queue = max(item.options.queue or self._device.queue for item in items)
        return _request(node, self._handle, self._sampling_s(items), queue, filter_of(items) if is_filtered else None)

    def _sampling_s(self, items: Sequence[Item]) -> float:
        own = [item.options.sampling for item in items]
        return min(self._device.sampling if each is None else each for each in own)

    def _tell_if_slow(self, node: ua.NodeId, asked_ms: float, revised_ms: float) -> None:
        if revised_ms > 2 * asked_ms and revised_ms > 100:
            asked_s, revised_s = asked_ms / 1000, revised_ms / 1000
            log.info("server samples more slowly", node=node.to_string(), asked_s=asked_s, revised_s=revised_s)


def _terms(period_s: float) -> ua.CreateSubscriptionParameters:
    terms = ua.CreateSubscriptionParameters()
    terms.RequestedPublishingInterval = ua.Double(period_s * 1000)
    terms.RequestedMaxKeepAliveCount = ua.UInt32(LIFETIME_S / 5 / period_s)
    terms.RequestedLifetimeCount = ua.UInt32(LIFETIME_S / period_s)
    terms.MaxNotificationsPerPublish = ua.UInt32(_MOST_AT_ONCE)
    terms.PublishingEnabled = True
    return terms


def _request(
    node: ua.NodeId, handle: int, sampling_s: float, queue: int, wanted: object
) -> ua.MonitoredItemCreateRequest:
    request = ua.MonitoredItemCreateRequest()
    request.ItemToMonitor.NodeId = node
    request.ItemToMonitor.AttributeId = ua.UInt32(AttributeIds.Value)
    request.MonitoringMode = ua.MonitoringMode.Reporting
    request.RequestedParameters.ClientHandle = ua.UInt32(handle)
    request.RequestedParameters.SamplingInterval = ua.Double(sampling_s * 1000)
    request.RequestedParameters.QueueSize = ua.UInt32(queue)
    request.RequestedParameters.DiscardOldest = True
    request.RequestedParameters.Filter = wanted
    return request
