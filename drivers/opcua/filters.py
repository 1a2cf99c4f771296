"""Which changes of a node are told: by the server's filter, or by our own where the server takes none. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from asyncua import ua
from asyncua.ua.status_codes import StatusCodes

from drivers.opcua.items import Item
from drivers.opcua.options import Percent

REFUSALS = {
    StatusCodes.BadFilterNotAllowed,
    StatusCodes.BadDeadbandFilterInvalid,
    StatusCodes.BadMonitoredItemFilterInvalid,
    StatusCodes.BadMonitoredItemFilterUnsupported,
}
"""What a server says that would monitor the node without a filter."""
_TRIGGERS = {
    "status": ua.DataChangeTrigger.Status,
    "value": ua.DataChangeTrigger.StatusValue,
    "timestamp": ua.DataChangeTrigger.StatusValueTimestamp,
}


def filter_of(items: Sequence[Item]) -> ua.DataChangeFilter | None:
    """Return what the points of one node ask for; points that share a node must all get what they need."""
    options = [item.options for item in items]
    triggers = {each.trigger for each in options}
    deadband = options[0].deadband if len(options) == 1 else None
    if triggers == {"value"} and deadband is None:
        return None
    wanted = ua.DataChangeFilter()
    wanted.Trigger = _TRIGGERS[triggers.pop()] if len(triggers) == 1 else ua.DataChangeTrigger.StatusValueTimestamp
    if isinstance(deadband, Percent):
        wanted.DeadbandType, wanted.DeadbandValue = ua.UInt32(2), ua.Double(deadband.percent)
    elif deadband is not None:
        scale = abs(options[0].scale)
        wanted.DeadbandType, wanted.DeadbandValue = ua.UInt32(1), ua.Double(deadband / scale)
    return wanted


class OwnFilter:
    """Does what the server would not. The range that a percentage is of is the server's: that lets all pass."""

    def __init__(self, wanted: ua.DataChangeFilter) -> None:
        self._only_status = wanted.Trigger is ua.DataChangeTrigger.Status
        self._deadband = float(wanted.DeadbandValue or 0.0) if wanted.DeadbandType == 1 else 0.0

    def passes(self, data: ua.DataValue, told: ua.DataValue | None) -> bool:
        """Tell whether a value is news to who was told ``told`` last."""
        if told is None or data.StatusCode != told.StatusCode:
            return True
        return not self._only_status and _differ(_value(data), _value(told), self._deadband)


def _value(data: ua.DataValue) -> Any:
    return data.Value.Value if data.Value is not None else None


def _differ(new: Any, old: Any, deadband: float) -> bool:
    if isinstance(new, list) and isinstance(old, list) and len(new) == len(old):
        return any(_differ(*pair, deadband) for pair in zip(new, old, strict=True))
    is_number = isinstance(new, int | float) and isinstance(old, int | float)
    return not deadband or not is_number or not abs(new - old) <= deadband
