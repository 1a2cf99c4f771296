"""A live OPC UA connection. asyncua speaks the protocol; every call to it has an outer limit here."""

from __future__ import annotations

import asyncio
import os
import struct
from collections.abc import Awaitable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from asyncua import ua
from asyncua.client.client import Client
from asyncua.common.node import Node
from asyncua.common.subscription import Subscription
from asyncua.ua.attribute_ids import AttributeIds
from asyncua.ua.object_ids import ObjectIds
from asyncua.ua.uaerrors import UaError

from agent.core.errors import NotConnected, Refused
from agent.core.model import Sample, Value
from agent.core.ports import Clock
from drivers.opcua.options import OpcUaDevice, OpcUaPoint
from drivers.opcua.values import to_node_id, to_sample, to_variant
from drivers.scaling import Scaling

T = TypeVar("T")
LIFE_S = 1.0
"""A batch at least this often, also when nothing changes."""
LIFETIME_S = 30.0
"""A server forgets our session and subscription so long after the gateway died."""
CHUNK = 500
"""Nodes in one request; servers have limits of their own, rarely below this."""
_NONSENSE = (UaError, AssertionError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError, struct.error)
"""What asyncua raises for answers that it cannot make sense of (found by spoiling some)."""
_CURRENT_TIME = ua.NodeId(ua.Int32(ObjectIds.Server_ServerStatus_CurrentTime))
_STATE = ua.NodeId(ua.Int32(ObjectIds.Server_ServerStatus_State))
_BUILT_IN = range(ua.VariantType.Boolean, ua.VariantType.DiagnosticInfo + 1)


@dataclass
class _Item:
    """A point as this session knows it; ``node`` is None when the server cannot have such a node."""

    options: OpcUaPoint
    scaling: Scaling
    node: ua.NodeId | None = None
    kind: ua.VariantType | None = None
    reason: str = ""


class OpcUaSession:
    """The subscription begins with the first ``read``: who only writes has none."""

    def __init__(self, client: Client, device: OpcUaDevice, points: Mapping[str, OpcUaPoint], clock: Clock) -> None:
        self._client = client
        self._device = device
        self._items = {id_: _Item(point, Scaling.of(point)) for id_, point in points.items()}
        self._clock = clock
        self._by_node: dict[ua.NodeId, list[str]] = {}
        self._subscription: Subscription | None = None
        self._notes: list[tuple[ua.NodeId, ua.DataValue]] = []
        self._extra: list[Sample] = []
        self._wake = asyncio.Event()
        self._lost = ""
        self._heard_s = clock.now().mono_s
        self._has_time = False

    async def open(self) -> None:
        """Connect, and turn node ids into nodes of this connection: an index may differ from the last time."""
        await self._client.connect()
        namespaces: list[str] = await self._client.get_namespace_array()
        for id_, item in self._items.items():
            try:
                item.node = to_node_id(item.options.node, namespaces)
            except ValueError as error:
                item.reason = str(error)
            else:
                self._by_node.setdefault(item.node, []).append(id_)
        await self._learn_types([item for item in self._items.values() if item.options.writable and item.node])

    async def read(self) -> Sequence[Sample]:
        """Return every point at first, then what changed; an empty batch is a sign of life, asked of the server."""
        if self._subscription is None:
            first = await self.fetch(self._items)
            self._subscription = await self._limited(self._subscribe())
            return first
        try:
            async with asyncio.timeout(LIFE_S):
                await self._wake.wait()
        except TimeoutError:
            await self._check_life()
        if self._lost:
            raise NotConnected(f"{self._device.endpoint}: {self._lost}")
        self._wake.clear()
        return list(self._news())

    async def fetch(self, points: Collection[str]) -> Sequence[Sample]:
        """Read these points now."""
        nodes = list({node for id_ in points if (node := self._items[id_].node)})
        found: dict[ua.NodeId, ua.DataValue] = {}
        for chunk in _chunks(nodes):
            found |= zip(chunk, await self._limited(self._values(chunk, AttributeIds.Value)), strict=True)
        return [self._sample(id_, found[node] if (node := self._items[id_].node) else None) for id_ in points]

    async def write(self, point: str, value: Value) -> None:
        """Write the value alone, without status and time stamps, in the node's own type."""
        item = self._items[point]
        if item.node is None or item.kind is None:
            raise Refused(item.reason or f"{point} is not 'writable' in the site's file")
        try:
            variant = to_variant(value, item.kind, item.scaling)
        except ValueError as error:
            raise Refused(str(error)) from error
        service = self._client.uaclient.session
        statuses = await self._limited(service.write_attributes([item.node], [ua.DataValue(variant, None)]))
        if statuses[0].is_bad():
            raise Refused(f"{item.options.node}: {statuses[0].name}")

    async def close(self) -> None:
        """Say good-bye if the server listens, and close the socket in any case."""
        try:
            async with asyncio.timeout(0.7):
                await self._client.disconnect()
        except TimeoutError:
            self._client.disconnect_socket()

    def datachange_notification(self, node: Node, _value: Any, data: Any) -> None:
        """Keep a notification (called by asyncua, which would swallow an error: it is judged in ``read``)."""
        self._heard_s = self._clock.now().mono_s
        if node.nodeid in self._by_node and data.monitored_item.Value is not None:
            self._notes.append((node.nodeid, data.monitored_item.Value))
            self._wake.set()

    def status_change_notification(self, change: ua.StatusChangeNotification) -> None:
        """The subscription ended, or the connection did (called by asyncua)."""
        if change.Status.is_bad():
            self._lost = f"the subscription ended: {change.Status.name}"
            self._wake.set()

    def _news(self) -> Iterator[Sample]:
        notes, self._notes = self._notes, []
        extra, self._extra = self._extra, []
        yield from extra
        for node, value in notes:
            yield from (self._sample(id_, value) for id_ in self._by_node[node])

    def _sample(self, id_: str, data: ua.DataValue | None) -> Sample:
        item, now = self._items[id_], self._clock.now()
        return to_sample(id_, data, item.scaling, now) if data is not None else Sample.bad(id_, item.reason, now)

    async def _values(self, nodes: list[ua.NodeId], attribute: AttributeIds) -> list[ua.DataValue]:
        values = await self._client.uaclient.session.read_attributes(nodes, attribute)
        if len(values) != len(nodes):
            raise UaError(f"the server answered for {len(values)} of {len(nodes)} nodes")
        return values

    async def _learn_types(self, items: list[_Item]) -> None:
        """Ask once for the type of what will be written: of its present value, or else what its node declares."""
        for chunk in _chunks(items):
            nodes = [item.node for item in chunk if item.node]
            values = await self._values(nodes, AttributeIds.Value)
            declared = await self._values(nodes, AttributeIds.DataType)
            for item, value, data_type in zip(chunk, values, declared, strict=True):
                item.kind = _present_type(value) or _declared_type(data_type)
                if item.kind is None:
                    item.reason = f"{item.options.node}: {_fault(data_type)}"

    async def _subscribe(self) -> Subscription:
        """Monitor every node, and the server's clock as a heart-beat of the subscription itself."""
        subscription = await self._client.create_subscription(self._terms(), self)
        interval_ms = ua.Double(self._device.sampling * 1000)
        for chunk in _chunks(list(self._by_node)):
            nodes = [self._client.get_node(node) for node in chunk]
            results = await subscription.subscribe_data_change(
                nodes, queuesize=self._device.queue, sampling_interval=interval_ms
            )
            self._note_missing(zip(chunk, results, strict=True))
        clock = [self._client.get_node(_CURRENT_TIME)]
        heart = await subscription.subscribe_data_change(clock, sampling_interval=ua.Double(500.0))
        self._has_time = not isinstance(heart[0], ua.StatusCode)
        self._heard_s = self._clock.now().mono_s
        return subscription

    def _terms(self) -> ua.CreateSubscriptionParameters:
        period_s = min(self._device.sampling, LIFE_S)
        terms = ua.CreateSubscriptionParameters()
        terms.RequestedPublishingInterval = ua.Double(period_s * 1000)
        terms.RequestedMaxKeepAliveCount = ua.UInt32(LIFETIME_S / 5 / period_s)
        terms.RequestedLifetimeCount = ua.UInt32(LIFETIME_S / period_s)
        terms.MaxNotificationsPerPublish = ua.UInt32(0)
        terms.PublishingEnabled = True
        return terms

    def _note_missing(self, results: Iterable[tuple[ua.NodeId, object]]) -> None:
        now = self._clock.now()
        for node, result in results:
            if isinstance(result, ua.StatusCode):
                self._extra += [Sample.bad(id_, result.name, now) for id_ in self._by_node[node]]
                self._wake.set()

    async def _check_life(self) -> None:
        """A socket may be open and the server frozen; a server may answer and its subscription be dead."""
        await self._limited(self._values([_STATE], AttributeIds.Value))
        silent_s = self._clock.now().mono_s - self._heard_s
        if self._has_time and silent_s > 3 * LIFE_S + self._device.timeout:
            raise NotConnected(f"{self._device.endpoint}: the subscription is silent for {silent_s:.0f} s")

    async def _limited(self, call: Awaitable[T]) -> T:
        return await limited(call, self._device)


async def limited(call: Awaitable[T], device: OpcUaDevice) -> T:
    """Await library calls within the device's timeout; whatever goes wrong, the connection is of no use any more."""
    try:
        async with asyncio.timeout(device.timeout):
            return await call
    except TimeoutError as error:
        raise NotConnected(f"{device.endpoint}: no answer within {device.timeout:g} s") from error
    except (OSError, *_NONSENSE) as error:
        raise NotConnected(f"{device.endpoint}: {_words(error)}") from error


def _present_type(data: ua.DataValue) -> ua.VariantType | None:
    variant = data.Value
    if variant is None or variant.Value is None or variant.VariantType not in _BUILT_IN:
        return None
    return ua.VariantType(variant.VariantType)


def _declared_type(data: ua.DataValue) -> ua.VariantType | None:
    node = data.Value.Value if data.Value is not None else None
    if not isinstance(node, ua.NodeId) or node.NamespaceIndex != 0 or not isinstance(node.Identifier, int):
        return None
    return ua.VariantType(node.Identifier) if node.Identifier in _BUILT_IN else None


def _fault(data: ua.DataValue) -> str:
    status = data.StatusCode
    return status.name if status is not None and status.is_bad() else "its data type is not a plain one"


def _chunks(items: Sequence[T]) -> Iterator[list[T]]:
    return (list(items[first : first + CHUNK]) for first in range(0, len(items), CHUNK))


def _words(error: BaseException) -> str:
    if isinstance(error, OSError) and error.errno:
        return os.strerror(error.errno)
    text = str(error).split("(")[0].strip() if isinstance(error, UaError) else str(error)
    return f"{type(error).__name__} {text}".strip()
