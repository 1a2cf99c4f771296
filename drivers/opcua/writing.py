"""Writing to servers that are particular about how: the value alone first, then what stubborn ones ask for."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC

import structlog
from asyncua import ua
from asyncua.ua.status_codes import StatusCodes

from agent.core.errors import Refused
from drivers.opcua.calls import Calls
from drivers.opcua.items import Item

log = structlog.get_logger(__name__)
_PARTICULAR = {StatusCodes.BadWriteNotSupported, StatusCodes.BadTypeMismatch, StatusCodes.BadInvalidArgument}
"""A server that refuses so may take the same value in another form: it has not written."""


class Writer:
    """Remembers the form that a server takes, for as long as the session lives."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self._form = 0

    async def write(self, item: Item, variant: ua.Variant) -> None:
        """Write to the item's node. Raises Refused, NotConnected; a request without an answer is never repeated."""
        assert item.node is not None
        forms = list(_forms(variant))
        status = ua.StatusCode()
        for number in dict.fromkeys((self._form, *range(len(forms)))):
            status = await self._calls.write(item.node, forms[number], _range(item))
            if not status.is_bad():
                self._remember(number)
                return
            if status.value not in _PARTICULAR:
                break
        raise Refused(f"{item.options.node or item.options.path}: {_reason(item, status)}")

    def _remember(self, number: int) -> None:
        if number != self._form:
            log.info("server takes writes in another form", endpoint=self._calls.endpoint, form=_FORMS[number])
        self._form = number


_FORMS = ("value alone", "value and status", "value, status and time")


def _forms(variant: ua.Variant) -> Iterator[ua.DataValue]:
    good = ua.StatusCode(ua.UInt32(StatusCodes.Good))
    yield ua.DataValue(variant, None)
    yield ua.DataValue(variant, good)
    yield ua.DataValue(variant, good, SourceTimestamp=ua.DateTime.now(UTC).replace(tzinfo=None))


def _range(item: Item) -> str | None:
    indexes = item.options.indexes
    return ",".join(map(str, indexes)) if indexes else None


def _reason(item: Item, status: ua.StatusCode) -> str:
    if item.options.indexes and status.value == StatusCodes.BadIndexRangeInvalid:
        return f"{status.name}; the server has no such element, or does not write single elements"
    return status.name
