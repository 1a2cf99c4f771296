"""A server's own alarms and conditions (Part 9) as points that are true while they are active."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import UTC

from asyncua import ua
from asyncua.ua.attribute_ids import AttributeIds
from asyncua.ua.object_ids import ObjectIds

from agent.core.model import Instant, Quality, Sample
from drivers.opcua.calls import Calls
from drivers.opcua.items import Item
from drivers.opcua.subscription import Subscription
from drivers.opcua.values import readable

_FIELDS = (
    ("EventType",), ("SourceName",), ("ConditionName",), ("ActiveState", "Id"), ("Retain",), ("Message",), ("Time",),
)  # fmt: skip
_SERVER = ua.NodeId(ua.Int32(ObjectIds.Server))
_CONDITION = ua.NodeId(ua.Int32(ObjectIds.ConditionType))
_REFRESH = ua.NodeId(ua.Int32(ObjectIds.ConditionType_ConditionRefresh))
_REFRESH_END = ua.NodeId(ua.Int32(ObjectIds.RefreshEndEventType))


class Conditions:
    """Unknown until the server has told all that is active; then false, until it tells otherwise."""

    def __init__(self, calls: Calls, subscription: Subscription, items: Sequence[Item]) -> None:
        self._calls, self._subscription = calls, subscription
        self._items: dict[str, list[Item]] = {}
        for item in items:
            self._items.setdefault(item.options.condition, []).append(item)
        self._untold = set(self._items)

    async def open(self, now: Instant) -> list[Sample]:
        """Ask for events, and for those that are active now; return what is known of the points so far.

        A server that does not tell them leaves these points bad, and hurts no other. Raises NotConnected.
        """
        told = await self._subscription.add_events(_SERVER, _filter())
        if told.is_bad():
            return self._bad(f"the server does not tell its events: {told.name}", now)
        request = ua.CallMethodRequest()
        request.ObjectId, request.MethodId = _CONDITION, _REFRESH
        request.InputArguments = [ua.Variant(self._subscription.id, ua.VariantType.UInt32)]
        result = await self._calls.single(self._calls.client.uaclient.session.call([request]))
        if result.StatusCode.is_bad():
            return self._bad(f"unknown until it changes: the server refuses a refresh ({result.StatusCode.name})", now)
        return self._bad("unknown until the server has told what is active", now)

    def _bad(self, reason: str, now: Instant) -> list[Sample]:
        return [Sample.bad(item.id, reason, now) for items in self._items.values() for item in items]

    def news(self, events: Sequence[ua.EventFieldList], now: Instant) -> Iterator[Sample]:
        """Yield what the events tell of the points."""
        for event in events:
            values = [field.Value for field in event.EventFields]
            if len(values) != len(_FIELDS):
                continue
            if values[0] == _REFRESH_END:
                untold = [item for name in sorted(self._untold) for item in self._items[name]]
                yield from (Sample.good(item.id, False, now) for item in untold)
                self._untold.clear()
            else:
                yield from self._told(values, now)

    def _told(self, values: Sequence[object], now: Instant) -> Iterator[Sample]:
        _, source, condition, active, retain, message, time = values
        plain = re.sub(r"^\d+:", "", str(source))  # some servers put the namespace's index before it
        names = {f"{plain}/{condition}", str(condition)} & self._items.keys()
        self._untold -= names
        is_active = bool(active) if active is not None else bool(retain)
        text = getattr(message, "Text", None)
        source_time = time.replace(tzinfo=UTC) if hasattr(time, "replace") else None
        reason = readable(str(text)) if text else None
        for item in (item for name in sorted(names) for item in self._items[name]):
            yield Sample(item.id, is_active, Quality.GOOD, now.utc, now.mono_s, source_time, reason)


def _filter() -> ua.EventFilter:
    wanted = ua.EventFilter()
    for names in _FIELDS:
        operand = ua.SimpleAttributeOperand()
        operand.TypeDefinitionId = ua.NodeId(ua.Int32(_type_of(names[0])))
        operand.BrowsePath = [ua.QualifiedName(name) for name in names]
        operand.AttributeId = ua.UInt32(AttributeIds.Value)
        wanted.SelectClauses.append(operand)
    return wanted


def _type_of(field: str) -> int:
    if field == "ActiveState":
        return ObjectIds.AlarmConditionType
    return ObjectIds.ConditionType if field in ("ConditionName", "Retain") else ObjectIds.BaseEventType
