"""Servers that are particular about how they are written to, played by a stand-in for the calls."""

from __future__ import annotations

import pytest
from asyncua import ua
from asyncua.ua.status_codes import StatusCodes

from agent.core.errors import NotConnected, Refused
from drivers.opcua.items import Item
from drivers.opcua.options import OpcUaPoint
from drivers.opcua.values import to_variant
from drivers.opcua.writing import Writer
from drivers.scaling import Scaling


class Stubborn:
    """Takes a write only if ``takes`` says so of the data value."""

    endpoint = "opc.tcp://stubborn"

    def __init__(self, takes: object, refusal: int) -> None:
        self.takes, self.refusal = takes, refusal
        self.seen: list[ua.DataValue] = []

    async def write(self, _node: ua.NodeId, value: ua.DataValue, _range: str | None) -> ua.StatusCode:
        self.seen.append(value)
        assert callable(self.takes)
        return ua.StatusCode(ua.UInt32(0 if self.takes(value) else self.refusal))


def item() -> Item:
    return Item("p", OpcUaPoint(node="i=1"), Scaling(), ua.NodeId(ua.Int32(1)), ua.VariantType.Double)


async def write(server: Stubborn, times: int = 1) -> None:
    writer = Writer(server)  # type: ignore[arg-type]
    for _ in range(times):
        await writer.write(item(), ua.Variant(1.5, ua.VariantType.Double))


async def test_the_value_alone_is_tried_first() -> None:
    server = Stubborn(lambda _: True, 0)
    await write(server)
    (value,) = server.seen
    assert value == ua.DataValue(ua.Variant(1.5, ua.VariantType.Double), None) and value.SourceTimestamp is None


async def test_the_form_that_a_server_takes_is_remembered() -> None:
    server = Stubborn(lambda value: value.SourceTimestamp is not None, StatusCodes.BadWriteNotSupported)
    await write(server, times=3)
    assert [value.SourceTimestamp is not None for value in server.seen] == [False, False, True, True, True]


async def test_what_no_form_helps_is_refused() -> None:
    server = Stubborn(lambda _: False, StatusCodes.BadTypeMismatch)
    with pytest.raises(Refused, match="BadTypeMismatch"):
        await write(server)
    assert len(server.seen) == 3


async def test_a_server_that_says_no_is_not_asked_again() -> None:
    server = Stubborn(lambda _: False, StatusCodes.BadUserAccessDenied)
    with pytest.raises(Refused, match="BadUserAccessDenied"):
        await write(server)
    assert len(server.seen) == 1


async def test_a_write_without_an_answer_is_never_repeated() -> None:
    class Mute(Stubborn):
        async def write(self, _node: ua.NodeId, value: ua.DataValue, _range: str | None) -> ua.StatusCode:
            self.seen.append(value)
            raise NotConnected("no answer")

    server = Mute(None, 0)
    with pytest.raises(NotConnected):
        await write(server)
    assert len(server.seen) == 1


def test_a_fraction_is_not_rounded_into_a_whole_number() -> None:
    with pytest.raises(ValueError, match=r"1\.5 is no whole number of the device's; write 1 or 2"):
        to_variant(1.5, ua.VariantType.Int16, Scaling())
    assert to_variant(12.3, ua.VariantType.Int16, Scaling(scale=0.1)).Value == 123
