"""The OPC UA driver and its session. asyncua speaks the protocol; every call to it has an outer limit here."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Awaitable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC
from typing import Any, TypeVar

from asyncua import ua
from asyncua.client.client import Client
from asyncua.common.node import Node
from asyncua.ua.attribute_ids import AttributeIds
from asyncua.ua.object_ids import ObjectIds
from asyncua.ua.uaerrors import UaError, UaStatusCodeError

from agent.core.errors import NotConnected, Refused
from agent.core.model import PointInfo, Quality, Sample, Value
from agent.core.ports import Clock, Session
from drivers.opcua.options import OpcUaDevice, OpcUaPoint

logging.getLogger("asyncua").setLevel(logging.CRITICAL)  # what it reports reaches the caller as an error

T = TypeVar("T")
LIFE_S = 1.0
"""A batch at least this often, also when nothing changes."""
_CURRENT_TIME = ua.NodeId(ua.Int32(ObjectIds.Server_ServerStatus_CurrentTime))
_STATE = ua.NodeId(ua.Int32(ObjectIds.Server_ServerStatus_State))


@dataclass
class _Item:
    """A point as this session knows it; ``node`` is None when the server has no such node."""

    options: OpcUaPoint
    node: Node | None = None
    kind: ua.VariantType | None = None
    reason: str = ""


class OpcUaDriver:
    """One server. See ``agent.core.ports.Driver``."""

    def __init__(self, device_id: str, device: OpcUaDevice, points: Mapping[str, OpcUaPoint], clock: Clock) -> None:
        self._device = device
        self._clock = clock
        self._options = {f"{device_id}.{name}": point for name, point in points.items()}
        self.points = [
            PointInfo(id_, point.unit, point.zone, point.description, point.writable, point.stale_after)
            for id_, point in self._options.items()
        ]

    async def connect(self) -> Session:
        """Build a fresh client and connect it; a client that once failed may be dead for good."""
        client = Client(self._device.endpoint, timeout=self._device.timeout, watchdog_intervall=3600.0)
        if self._device.username:
            client.set_user(self._device.username)
            client.set_password(_password(self._device))
        session = OpcUaSession(client, self._device, self._options, self._clock)
        try:
            await session.limited(client.connect())
            await session.resolve()
        except NotConnected:
            await session.close()
            raise
        return session


class OpcUaSession:
    """A live connection. The subscription begins with the first ``read``: who only writes has none."""

    def __init__(self, client: Client, device: OpcUaDevice, options: Mapping[str, OpcUaPoint], clock: Clock) -> None:
        self._client = client
        self._device = device
        self._items = {id_: _Item(point) for id_, point in options.items()}
        self._clock = clock
        self._by_node: dict[ua.NodeId, list[str]] = {}
        self._subscribed = False
        self._batch: list[Sample] = []
        self._news = asyncio.Event()
        self._heard_s = clock.now().mono_s
        self._has_time = False

    async def resolve(self) -> None:
        """Turn node ids into nodes of this connection: a namespace's index may differ from the last time."""
        namespaces: list[str] = await self.limited(self._client.get_namespace_array())
        for id_, item in self._items.items():
            try:
                node = self._client.get_node(_node_id(item.options.node, namespaces))
            except ValueError as error:
                item.reason = str(error)
                continue
            item.node = node
            self._by_node.setdefault(node.nodeid, []).append(id_)
        for item in self._items.values():
            if item.options.writable and item.node is not None:
                item.kind = await self._variant_type(item.node)

    async def read(self) -> Sequence[Sample]:
        """Return what changed; an empty batch is a sign of life, asked of the server."""
        if not self._subscribed:
            self._subscribed = True
            await self._subscribe()
        try:
            async with asyncio.timeout(LIFE_S):
                await self._news.wait()
        except TimeoutError:
            await self._check_life()
        self._news.clear()
        batch, self._batch = self._batch, []
        return batch

    async def fetch(self, points: Collection[str]) -> Sequence[Sample]:
        """Read these points now, in one request."""
        items = {id_: self._items[id_] for id_ in points}
        nodes = {id_: item.node for id_, item in items.items() if item.node is not None}
        values = await self.limited(self._client.read_attributes(nodes.values())) if nodes else []
        found = dict(zip(nodes, values, strict=True))
        return [self._sample(id_, found[id_]) if id_ in found else self._absent(id_) for id_ in points]

    async def write(self, point: str, value: Value) -> None:
        """Write the value alone, without time stamps, in the node's own type."""
        item = self._items[point]
        if item.node is None or item.kind is None:
            raise Refused(item.reason or f"{item.options.node} cannot be written")
        try:
            variant = ua.Variant(_raw(value, item), item.kind)
            await self.limited(item.node.write_attribute(AttributeIds.Value, ua.DataValue(variant)))
        except (UaStatusCodeError, TypeError, ValueError) as error:
            raise Refused(_words(error)) from error

    async def close(self) -> None:
        """Say good-bye if the server listens, and close the socket in any case."""
        try:
            async with asyncio.timeout(0.7):
                await self._client.disconnect()
        except (OSError, TimeoutError, UaError):
            self._client.disconnect_socket()

    async def limited(self, call: Awaitable[T]) -> T:
        """Await a library call within the device's timeout."""
        try:
            async with asyncio.timeout(self._device.timeout + 0.5):
                return await call
        except UaStatusCodeError as error:
            if _is_link(error):
                raise NotConnected(f"{self._device.endpoint}: {_words(error)}") from error
            raise
        except (OSError, TimeoutError, UaError) as error:
            raise NotConnected(f"{self._device.endpoint}: {_words(error)}") from error

    def datachange_notification(self, node: Node, _value: Any, data: Any) -> None:
        """Take a notification in (called by asyncua)."""
        self._heard_s = self._clock.now().mono_s
        for id_ in self._by_node.get(node.nodeid, ()):
            self._batch.append(self._sample(id_, data.monitored_item.Value))
            self._news.set()

    async def _subscribe(self) -> None:
        period_ms = ua.Double(self._device.sampling * 1000)
        subscription = await self._must(self._client.create_subscription(period_ms, self))
        present = {node_id: self._client.get_node(node_id) for node_id in self._by_node}
        for id_, item in self._items.items():
            if item.node is None:
                self._batch.append(self._absent(id_))
        results = await self._must(
            subscription.subscribe_data_change(
                list(present.values()), queuesize=self._device.queue, sampling_interval=period_ms
            )
        )
        for node_id, result in zip(present, results, strict=True):
            if isinstance(result, ua.StatusCode):
                self._batch.extend(self._missing(id_, result) for id_ in self._by_node[node_id])
        heart = await self._must(
            subscription.subscribe_data_change(
                [self._client.get_node(_CURRENT_TIME)], sampling_interval=ua.Double(500.0)
            )
        )
        self._has_time = not isinstance(heart[0], ua.StatusCode)
        self._heard_s = self._clock.now().mono_s
        if self._batch:
            self._news.set()

    async def _must(self, call: Awaitable[T]) -> T:
        """Like ``limited``, for calls without which the session is of no use."""
        try:
            return await self.limited(call)
        except UaStatusCodeError as error:
            raise NotConnected(f"{self._device.endpoint}: {_words(error)}") from error

    async def _check_life(self) -> None:
        """A socket may be open and the server frozen; a server may answer and its subscription be dead."""
        await self._must(self._client.get_node(_STATE).read_data_value(raise_on_bad_status=False))
        silent_s = self._clock.now().mono_s - self._heard_s
        if self._has_time and silent_s > 3 * LIFE_S + self._device.timeout:
            raise NotConnected(f"{self._device.endpoint}: the subscription is silent for {silent_s:.0f} s")

    async def _variant_type(self, node: Node) -> ua.VariantType | None:
        try:
            return await self.limited(node.read_data_type_as_variant_type())
        except UaStatusCodeError:
            return None  # told when somebody writes; reading goes on

    def _missing(self, id_: str, status: ua.StatusCode) -> Sample:
        self._items[id_].reason = status.name
        return self._absent(id_)

    def _absent(self, id_: str) -> Sample:
        return Sample.bad(id_, self._items[id_].reason, self._clock.now())

    def _sample(self, id_: str, data: ua.DataValue) -> Sample:
        now, status = self._clock.now(), data.StatusCode or ua.StatusCode()
        source_time = data.SourceTimestamp.replace(tzinfo=UTC) if data.SourceTimestamp else None
        value = data.Value.Value if data.Value is not None else None
        fault = _fault(value, status)
        if fault:
            return Sample.bad(id_, fault, now, source_time)
        quality = Quality.UNCERTAIN if status.value >> 30 & 0b11 == 0b01 else Quality.GOOD
        reason = status.name if quality is Quality.UNCERTAIN else None
        scaled = _scaled(value, self._items[id_].options)
        return Sample(id_, scaled, quality, now.utc, now.mono_s, source_time, reason)


def _fault(value: Any, status: ua.StatusCode) -> str:
    """Return why a value is of no use; the two top bits of the status decide (Part 4, 7.39)."""
    if status.value >> 31:
        return status.name
    if isinstance(value, float) and not math.isfinite(value):
        return f"the server sent {value}"
    return "" if isinstance(value, bool | int | float | str) else f"a {type(value).__name__} is not a plain value"


def _scaled(value: Any, options: OpcUaPoint) -> Value:
    if isinstance(value, bool | str) or (options.scale == 1.0 and options.offset == 0.0):
        return value  # type: ignore[no-any-return]
    return round(float(value) * options.scale + options.offset, 9)


def _raw(value: Value, item: _Item) -> Value:
    if item.kind is ua.VariantType.Boolean:
        return bool(value)
    if isinstance(value, str) or value is None:
        return value
    raw = (value - item.options.offset) / item.options.scale
    return raw if item.kind in (ua.VariantType.Float, ua.VariantType.Double) else round(raw)


def _node_id(text: str, namespaces: list[str]) -> ua.NodeId:
    """Resolve ``nsu=URI;…``. Raises ValueError when the server has no such namespace."""
    if not text.startswith("nsu="):
        return ua.NodeId.from_string(text)
    uri, rest = text.removeprefix("nsu=").split(";", 1)
    if uri not in namespaces:
        raise ValueError(f"the server has no namespace {uri!r}")
    return ua.NodeId.from_string(f"ns={namespaces.index(uri)};{rest}")


def _is_link(error: UaStatusCodeError) -> bool:
    dead = ("Connection", "Session", "SecureChannel", "Timeout", "Shutdown", "ServerHalted", "Communication")
    return any(word in type(error).__name__ for word in dead)


def _words(error: BaseException) -> str:
    text = str(error).split("(")[0].strip() if isinstance(error, UaError) else str(error)
    return f"{type(error).__name__} {text}".strip()


def _password(device: OpcUaDevice) -> str:
    if device.password_file is None:
        return ""
    try:
        return device.password_file.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise NotConnected(f"password file {device.password_file}: {error.strerror}") from error
