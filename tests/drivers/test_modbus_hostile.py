"""Modbus devices that answer what no specification knows, in pieces, or late."""

from __future__ import annotations

import asyncio
import time

import pytest

from agent.core.errors import Refused
from agent.core.model import Quality
from drivers.modbus.frames import FRAMINGS, TcpFraming
from tests.drivers.rtu_line import RtuLine
from tests.drivers.test_modbus_bus import Gateway, Seen, driver


async def test_an_exception_without_a_code_is_an_exception() -> None:
    async with Gateway({1: lambda answer: bytes((answer[0] | 0x80, 0))}) as gateway:
        session = await driver(gateway, 1, framing="tcp").connect()
        samples = await session.read()
        assert {(sample.quality, sample.reason) for sample in samples} == {(Quality.BAD, "Modbus exception 0: unknown")}
        with pytest.raises(Refused, match="Modbus exception 0"):
            await session.write("u1.m", 1)
        await session.close()


async def test_a_late_answer_in_pieces_takes_the_line_from_nobody() -> None:
    async with Gateway({}, late_s={7: 0.3}) as gateway:
        seen = Seen([driver(gateway, unit, framing="tcp", poll=0.02) for unit in (1, 2, 7)])
        await seen.run(1.5)
        assert gateway.connections == 1 and not seen.good["u7"] and not seen.wrong
        assert min(seen.good["u1"], seen.good["u2"]) > 25, seen.good


@pytest.mark.parametrize("cut", range(1, 11))
def test_the_rest_of_a_late_answer_is_not_the_head_of_the_next(cut: int) -> None:
    framing, buffer = TcpFraming(), bytearray()
    late = framing.wrap(1, 6, b"\x03\x02\x00\x07")
    buffer += late + late[:cut]
    framing.overhear(buffer)
    assert buffer == late[:cut]
    framing.overhear(buffer)
    buffer += late[cut:]
    framing.overhear(buffer)
    assert not buffer


@pytest.mark.parametrize("name", ["rtu", "ascii"])
def test_on_a_serial_line_nothing_is_kept_of_what_nobody_waited_for(name: str) -> None:
    buffer = bytearray(b":0103")
    FRAMINGS[name]().overhear(buffer)
    assert not buffer


async def test_the_pause_of_one_unit_is_no_pause_of_the_others() -> None:
    async with RtuLine({1, 2}) as line:
        resting, other = await driver(line, 2, pause=0.4).connect(), await driver(line, 1).connect()
        polls = asyncio.gather(*(resting.fetch(["u2.n"]) for _ in range(3)))
        await asyncio.sleep(0.05)
        started_s = time.monotonic()
        for _ in range(5):
            await other.fetch(["u1.n"])
        assert time.monotonic() - started_s < 0.3
        await polls
        assert time.monotonic() - started_s > 0.7, "the pauses themselves are kept"
        for session in (resting, other):
            await session.close()
