"""Looks after single items: one that fell silent is monitored anew, a node that was missing is tried again.

A subscription may live, and its server answer, while one of its items tells nothing any more. So a share
of the items is read now and then, and compared with what was last notified of them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence

import structlog
from asyncua import ua
from asyncua.ua.attribute_ids import AttributeIds

from agent.core.ports import Clock
from drivers.opcua.calls import UNREADABLE, Calls
from drivers.opcua.items import Item
from drivers.opcua.subscription import Subscription

log = structlog.get_logger(__name__)
SHARE = 50
"""Items that are read at a time."""
RETRY_S = 10.0
"""A node that the server did not have is asked for again after this long."""


class Watch:
    """``look`` is called often, and does something every ``period_s`` seconds."""

    def __init__(
        self,
        calls: Calls,
        subscription: Subscription,
        nodes: Mapping[ua.NodeId, Sequence[Item]],
        period_s: float,
        clock: Clock,
    ) -> None:
        self._calls, self._subscription, self._nodes, self._clock = calls, subscription, nodes, clock
        self._period_s = period_s
        self._next_s = clock.now().mono_s + period_s
        self._retry_s = clock.now().mono_s + RETRY_S
        self._round = deque(nodes)
        self._suspects: dict[ua.NodeId, tuple[float, ua.DataValue | None]] = {}
        """Since when a node is suspected, and what had been heard of it last by then."""
        self._missing: dict[ua.NodeId, None] = {}
        """The one that was not asked for the longest comes first."""

    def missing(self, node: ua.NodeId) -> None:
        """``node`` is not monitored: the server refused to, or sends what cannot be decoded."""
        self._missing[node] = None

    async def look(self) -> list[tuple[ua.NodeId, ua.DataValue]]:
        """Return values that were found by reading, and that no notification told. Raises NotConnected."""
        now_s = self._clock.now().mono_s
        if self._missing and now_s >= self._retry_s:
            self._retry_s = now_s + RETRY_S
            await self._retry()
        if now_s < self._next_s:
            return []
        self._next_s = now_s + self._period_s
        nodes = [*self._suspects, *self._share()]
        values = await self._calls.read(nodes, AttributeIds.Value)
        return [each for each in zip(nodes, values, strict=True) if await self._is_silent(*each)]

    async def _retry(self) -> None:
        """Read first: a notification that cannot be decoded would end the subscription."""
        nodes = list(self._missing)[:SHARE]
        values = await self._calls.read(nodes, AttributeIds.Value)
        sound = [node for node, value in zip(nodes, values, strict=True) if value is not UNREADABLE]
        refused = await self._subscription.add((node, self._nodes[node]) for node in sound)
        for node in nodes:
            del self._missing[node]
        self._missing |= {node: None for node in nodes if node not in sound or node in refused}

    def _share(self) -> list[ua.NodeId]:
        """Return the next nodes of the round."""
        taken = [self._round.popleft() for _ in range(min(SHARE, len(self._round)))]
        self._round.extend(taken)
        return [node for node in taken if node not in self._suspects and node not in self._missing]

    async def _is_silent(self, node: ua.NodeId, value: ua.DataValue) -> bool:
        """Tell whether a value is news that its item does not tell; the item is renewed then.

        One look is not enough: a change may be on its way. Only an item that is still not heard of when its
        sampling was due several times has fallen silent.
        """
        last, now_s = self._subscription.last.get(node), self._clock.now().mono_s
        if _same(value, last) or self._is_held_back(node):
            self._suspects.pop(node, None)
            return False
        suspected = self._suspects.get(node)
        if suspected is None or suspected[1] is not last:
            self._suspects[node] = (now_s, last)
            return False
        if now_s - suspected[0] < self._subscription.patience_s(self._nodes[node]):
            return False
        del self._suspects[node]
        log.warning("monitored item silent, monitoring it anew", node=node.to_string())
        self._subscription.last[node] = value
        if value is UNREADABLE or await self._subscription.renew(node, self._nodes[node]):
            self.missing(node)
        return True

    def _is_held_back(self, node: ua.NodeId) -> bool:
        return any(item.options.deadband is not None or item.options.trigger == "status" for item in self._nodes[node])


def _same(value: ua.DataValue, other: ua.DataValue | None) -> bool:
    if other is None:
        return False
    return bool(value.Value == other.Value) and _status(value) == _status(other)


def _status(value: ua.DataValue) -> int:
    return value.StatusCode.value if value.StatusCode is not None else 0
