"""Calls of OPC UA services, each within the device's timeout and in requests that servers take."""

from __future__ import annotations

import asyncio
import os
import struct
from collections.abc import Awaitable, Iterator, Sequence
from typing import TypeVar

from asyncua import ua
from asyncua.client.client import Client
from asyncua.ua.attribute_ids import AttributeIds
from asyncua.ua.status_codes import StatusCodes
from asyncua.ua.uaerrors import UaError, UaStatusCodeError

from agent.core.errors import NotConnected

T = TypeVar("T")
CHUNK = 500
"""Nodes in one request; servers have limits of their own, rarely below this."""
_NONSENSE = (UaError, AssertionError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError, struct.error,
             RecursionError)  # fmt: skip
"""What asyncua raises for answers that it cannot make sense of (found by spoiling some)."""
UNREADABLE = ua.DataValue(StatusCode=ua.StatusCode(ua.UInt32(StatusCodes.BadDecodingError)))
"""Stands for a value that the server sent and that the library cannot decode."""


class Calls:
    """Every method raises NotConnected: then the connection is of no use any more."""

    def __init__(self, client: Client, endpoint: str, timeout_s: float) -> None:
        self.client, self.endpoint, self.timeout_s = client, endpoint, timeout_s

    async def limited(self, call: Awaitable[T]) -> T:
        """Await a call of the library within the timeout."""
        try:
            async with asyncio.timeout(self.timeout_s):
                return await plainly(call)
        except TimeoutError as error:
            raise NotConnected(f"{self.endpoint}: no answer within {self.timeout_s:g} s") from error
        except (OSError, *_NONSENSE) as error:
            raise NotConnected(f"{self.endpoint}: {words(error)}") from error

    async def single(self, call: Awaitable[Sequence[T]]) -> T:
        """Await a call that was made for one thing, and return its one result."""
        results = await self.limited(call)
        if len(results) != 1:
            raise NotConnected(f"{self.endpoint}: it gave {len(results)} answers to one question")
        return results[0]

    async def read(self, nodes: Sequence[ua.NodeId], attribute: AttributeIds) -> list[ua.DataValue]:
        """Return an attribute of each node."""
        found: list[ua.DataValue] = []
        for chunk in chunks(nodes):
            found += await self.limited(self._read(chunk, attribute))
        return found

    async def _read(self, nodes: Sequence[ua.NodeId], attribute: AttributeIds) -> list[ua.DataValue]:
        """Read in one request; a value that cannot be decoded is found by halving, and is UNREADABLE."""
        try:
            values = await self.limited(self.client.uaclient.session.read_attributes(list(nodes), attribute))
        except NotConnected as error:
            if not _is_nonsense(error.__cause__):
                raise
            if len(nodes) == 1:
                return [UNREADABLE]
            half = len(nodes) // 2
            return [*await self._read(nodes[:half], attribute), *await self._read(nodes[half:], attribute)]
        if len(values) != len(nodes):
            raise NotConnected(f"{self.endpoint}: it answered for {len(values)} of {len(nodes)} nodes")
        return values

    async def write(self, node: ua.NodeId, value: ua.DataValue, index_range: str | None = None) -> ua.StatusCode:
        """Write the value of a node, or a part of it, and return the status."""
        item = ua.WriteValue(NodeId=node, AttributeId=AttributeIds.Value, IndexRange=index_range, Value=value)
        return await self.single(self.client.uaclient.session.write(ua.WriteParameters([item])))

    async def create_items(
        self, subscription: int, requests: Sequence[ua.MonitoredItemCreateRequest]
    ) -> list[ua.MonitoredItemCreateResult]:
        """Create monitored items."""
        found: list[ua.MonitoredItemCreateResult] = []
        for chunk in chunks(requests):
            terms = ua.CreateMonitoredItemsParameters(subscription, ua.TimestampsToReturn.Both, list(chunk))
            results = await self.limited(self.client.uaclient.session.create_monitored_items(terms))
            if len(results) != len(chunk):
                raise NotConnected(f"{self.endpoint}: it answered for {len(results)} of {len(chunk)} items")
            found += results
        return found

    async def delete_items(self, subscription: int, items: Sequence[int]) -> None:
        """Delete monitored items, whatever the server says of it."""
        terms = ua.DeleteMonitoredItemsParameters(ua.UInt32(subscription), [ua.UInt32(item) for item in items])
        await self.limited(self.client.uaclient.session.delete_monitored_items(terms))


async def plainly(call: Awaitable[T]) -> T:
    """Await a call; the library's own kind of cancellation, for one that met a result, would not end a time limit."""
    try:
        return await call
    except asyncio.CancelledError:
        raise asyncio.CancelledError from None


def _is_nonsense(error: BaseException | None) -> bool:
    """Tell whether an answer came, and made no sense."""
    return isinstance(error, _NONSENSE) and not isinstance(error, UaStatusCodeError)


def chunks(items: Sequence[T]) -> Iterator[Sequence[T]]:
    """Cut ``items`` into what fits into one request."""
    return (items[first : first + CHUNK] for first in range(0, len(items), CHUNK))


def words(error: BaseException) -> str:
    """Say in a line what went wrong."""
    if isinstance(error, OSError) and error.errno:
        return os.strerror(error.errno)
    text = str(error).split("(")[0].strip() if isinstance(error, UaError) else str(error)
    if isinstance(error, AssertionError) and not text:
        return "its answer makes no sense, or it refuses to talk like that"
    return f"{type(error).__name__} {text}".strip()
