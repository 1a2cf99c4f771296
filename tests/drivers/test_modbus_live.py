"""What is Modbus's own: bad addresses in a block, exception codes, cadence."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from pymodbus.constants import ExcCodes
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from agent.core.clock import SystemClock
from agent.core.errors import NotConnected, Refused
from agent.core.model import Quality, Sample, Value
from agent.core.ports import Driver, Session
from agent.outputs import Heartbeat
from drivers import REGISTRY
from drivers.modbus.schedule import ISOLATE_S
from tests.drivers.rigs import Proxy, Rig, Silent, libmodbus
from tests.servers.process import free_port

SERVER = libmodbus
KIND = REGISTRY["modbus-tcp"]


def driver(port: int, points: dict[str, object], **device: object) -> Driver:
    options = KIND.device.model_validate({"host": "127.0.0.1", "port": port, "poll": 0.05, "timeout": 0.3, **device})
    parsed = {name: KIND.point.model_validate(point) for name, point in points.items()}
    return KIND.build("plc", options, parsed, SystemClock())


def holding(*offsets: int) -> dict[str, object]:
    return {str(offset): {"address": {"table": "holding", "offset": offset}} for offset in offsets}


def by_point(samples: list[Sample]) -> dict[int, Sample]:
    return {int(sample.point.removeprefix("plc.")): sample for sample in samples}


class Plant:
    """pymodbus's own server, whose answers a test may spoil: ``spoiled`` maps a register to an exception code."""

    def __init__(self) -> None:
        self.port = free_port()
        self.spoiled: dict[int, ExcCodes] = {}
        self.requests: list[tuple[int, int]] = []
        self.delay_s = 0.0
        self.most = 125

    async def answer(
        self,
        code: int,
        start: int,
        address: int,
        count: int,
        registers: list[int],
        values: list[int] | list[bool] | None,
    ) -> ExcCodes | None:
        self.requests.append((address, count))
        await asyncio.sleep(self.delay_s)
        if count > self.most:
            return ExcCodes.ILLEGAL_VALUE
        spoiled = (each for register, each in self.spoiled.items() if address <= register < address + count)
        return next(spoiled, None)


class Renumbering(Proxy):
    """Answers under unit 255, as some gateways do."""

    def _passed(self, data: bytes, is_answer: bool) -> bytes:
        return data[:6] + b"\xff" + data[7:] if is_answer else data


@pytest.mark.server
async def test_who_answers_instead_is_told(real: Rig) -> None:
    async with Renumbering(real.server.port) as port:
        session = await driver(port, holding(7)).connect()
        with pytest.raises(
            NotConnected, match=r"no answer from unit 1 .*, but unit 255 answered; is 'unit: 255' meant"
        ):
            await session.read()
        await session.close()


@asynccontextmanager
async def plant() -> AsyncIterator[Plant]:
    made = Plant()
    blocks = ([SimData(0, values=[False] * 16, datatype=DataType.BITS)],) * 2 + (
        [SimData(0, count=300, values=7, datatype=DataType.REGISTERS)],
    ) * 2
    server = ModbusTcpServer([SimDevice(id=1, simdata=blocks, action=made.answer)], address=("127.0.0.1", made.port))
    task = asyncio.create_task(server.serve_forever())
    while not _is_open(made.port):
        await asyncio.sleep(0.01)
    yield made
    await server.shutdown()  # type: ignore[no-untyped-call]
    await asyncio.wait([task], timeout=2.0)


def _is_open(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


async def batches(session: Session, count: int) -> list[list[Sample]]:
    return [list(await session.read()) for _ in range(count)]


@pytest.mark.server
async def test_bad_addresses_in_a_block_hurt_no_other(real: Rig) -> None:
    offsets = [*range(860, 900), *range(900, 908)]
    session = await driver(real.server.port, holding(*offsets)).connect()
    for samples in (await session.read(), await session.read(), await session.fetch([f"plc.{n}" for n in offsets])):
        seen = by_point(list(samples))
        assert sorted(seen) == offsets, "every point, once"
        assert all(seen[offset].value == offset for offset in range(860, 900))
        assert {seen[offset].reason for offset in range(900, 908)} == {"Modbus exception 2: illegal data address"}
    await session.close()


async def test_after_a_bad_address_is_found_polling_is_cheap_again() -> None:
    async with plant() as server:
        server.spoiled = {60: ExcCodes.ILLEGAL_ADDRESS}
        session = await driver(server.port, holding(*range(120))).connect()
        await session.read()
        server.requests.clear()
        seen = by_point(list(await session.read()))
        assert server.requests == [(0, 60), (61, 59)]
        assert (
            seen[60].quality is Quality.BAD and sum(sample.quality is Quality.GOOD for sample in seen.values()) == 119
        )
        await session.close()


async def test_finding_many_bad_addresses_on_a_slow_device_does_not_hold_up_the_poll() -> None:
    async with plant() as server:
        server.spoiled = dict.fromkeys(range(100, 140), ExcCodes.ILLEGAL_ADDRESS)
        server.delay_s = 0.06
        session = await driver(server.port, holding(1, *range(100, 140))).connect()
        started_s = time.monotonic()
        seen = by_point(list(await session.read()))
        assert time.monotonic() - started_s < ISOLATE_S + 0.6, "all 79 questions would take 5 s"
        assert seen[1].value == 7 and all(seen[offset].quality is Quality.BAD for offset in range(100, 140))
        await session.close()


async def test_a_bad_address_is_found_however_slow_the_device_is() -> None:
    async with plant() as server:
        server.spoiled, server.delay_s = {0: ExcCodes.ILLEGAL_ADDRESS}, 0.2
        session = await driver(server.port, holding(*range(120)), timeout=2.0).connect()
        await batches(session, 2)
        (samples,) = await batches(session, 1)
        assert [sample.point for sample in samples if sample.value is None] == ["plc.0"]
        await session.close()


async def test_a_bad_address_is_found_behind_blocks_that_take_long() -> None:
    async with plant() as server:
        server.spoiled, server.delay_s = {80: ExcCodes.ILLEGAL_ADDRESS}, 0.13
        session = await driver(server.port, holding(*range(81)), timeout=2.0, max_registers=8).connect()
        (samples,) = await batches(session, 1)
        assert [sample.point for sample in samples if sample.value is None] == ["plc.80"]
        await session.close()


async def test_a_device_that_takes_less_than_its_options_say_is_not_asked_for_more_again_and_again() -> None:
    async with plant() as server:
        server.most = 32
        session = await driver(server.port, holding(*range(120)), poll=0.01).connect()
        for samples in await batches(session, 8):
            assert all(sample.value == 7 for sample in samples)
        server.requests.clear()
        await batches(session, 3)
        assert all(count <= 32 for _, count in server.requests) and len(server.requests) <= 3 * 6, server.requests
        await session.close()


async def test_a_busy_device_is_asked_again_at_the_next_poll() -> None:
    async with plant() as server:
        session = await driver(server.port, holding(1, 2)).connect()
        server.spoiled = {1: ExcCodes.DEVICE_BUSY}
        (busy,) = await batches(session, 1)
        server.spoiled = {}
        (good,) = await batches(session, 1)
        assert {sample.reason for sample in busy} == {"Modbus exception 6: device busy"}
        assert [sample.value for sample in good] == [7, 7]
        await session.close()


async def test_a_unit_that_its_gateway_cannot_reach_is_lost() -> None:
    async with plant() as server:
        server.spoiled = {1: ExcCodes.GATEWAY_NO_RESPONSE}
        session = await driver(server.port, holding(1)).connect()
        with pytest.raises(NotConnected, match="gateway target failed to respond"):
            await session.read()
        await session.close()


async def test_the_cadence_is_kept_and_missed_slots_are_skipped() -> None:
    async with plant() as server:
        session = await driver(server.port, holding(1), poll=0.1).connect()
        await batches(session, 2)  # at once, and at the first slot of the device's phase
        started_s = time.monotonic()
        await batches(session, 5)
        assert 0.45 < time.monotonic() - started_s < 0.62
        await asyncio.sleep(0.35)
        late_s = time.monotonic()
        await batches(session, 3)
        assert 0.1 < time.monotonic() - late_s < 0.32, "one at once, two at their slots, none made up for"
        await session.close()


async def test_a_group_that_is_always_due_leaves_no_other_out() -> None:
    async with plant() as server:
        slow = {str(n): {"address": {"table": "holding", "offset": n}, "poll": 0.2} for n in (50, 299)}
        points = {**holding(*range(20)), **slow}
        session = await driver(server.port, points, poll=1e-6, max_registers=4).connect()
        started_s, seen = time.monotonic(), list[str]()
        while time.monotonic() - started_s < 1.0:
            seen += [sample.point for sample in await session.read()]
            await asyncio.sleep(0.001)
        assert 3 <= seen.count("plc.299") <= 6 and seen.count("plc.19") > 30
        await session.close()


async def test_a_dead_device_delays_no_other() -> None:
    async with plant() as server, Silent() as port:
        dead, alive = driver(port, holding(1), timeout=0.5), driver(server.port, holding(1))
        hung, session = await dead.connect(), await alive.connect()
        await session.read()
        waiting = asyncio.create_task(hung.read())
        started_s = time.monotonic()
        await batches(session, 6)
        assert time.monotonic() - started_s < 0.45 and not waiting.done()
        with pytest.raises(NotConnected):
            await waiting
        await hung.close()
        await session.close()


async def test_a_write_that_waited_behind_a_dead_poll_is_never_sent() -> None:
    heard: list[bytes] = []
    points = {"value": holding(1)["1"], "horn": {"address": "00001", "writable": True}}
    async with Silent(heard=heard) as port:
        session = await driver(port, points).connect()
        poll = asyncio.create_task(session.read())
        await asyncio.sleep(0.05)
        write = asyncio.create_task(session.write("plc.horn", True))
        results = await asyncio.gather(poll, write, return_exceptions=True)
        assert [type(result) for result in results] == [NotConnected, NotConnected]
        await session.close()
    assert [data[7] for data in heard] == [1], "only the poll (function 1) went out, no write (5)"


@pytest.mark.parametrize("value", [2, None, "on", 0.5])
async def test_a_switch_takes_nothing_but_on_and_off(value: float) -> None:
    async with plant() as server:
        session = await driver(server.port, {"horn": {"address": "00001", "writable": True}}).connect()
        with pytest.raises(Refused, match="neither on nor off"):
            await session.write("plc.horn", value)
        assert server.requests == []
        await session.close()


async def test_what_is_not_writable_is_refused_without_asking() -> None:
    async with plant() as server:
        session = await driver(server.port, {"door": {"address": 10001}}).connect()
        with pytest.raises(Refused, match=r"plc\.door is not 'writable'"):
            await session.write("plc.door", True)
        assert server.requests == []
        await session.close()


def test_points_go_stale_after_three_polls_or_one_that_timed_out() -> None:
    slow, quick = driver(1, holding(1), poll=1.0), driver(1, holding(1), poll=0.1, timeout=2.0)
    assert (slow.points[0].stale_after_s, quick.points[0].stale_after_s) == (3.0, 2.1)
    own = driver(1, {"x": {"address": 40001, "stale_after": 9.0}})
    assert own.points[0].stale_after_s == 9.0


async def test_a_heartbeat_counts_on_in_a_device_that_was_busy_and_in_a_coil() -> None:
    points: dict[str, object] = {
        "beat": {"address": {"table": "holding", "offset": 7}, "writable": True},
        "coil": {"address": {"table": "coil", "offset": 3}, "writable": True},
    }
    async with plant() as made:
        session = await driver(made.port, points).connect()
        register, coil = Heartbeat("plc.beat", lambda: True), Heartbeat("plc.coil", lambda: True)
        seen: list[dict[str, Value]] = []
        for beat in range(1, 10):
            made.spoiled = {7: ExcCodes.DEVICE_BUSY} if beat in (2, 3, 7) else {}
            await register.beat(session)
            await coil.beat(session)
            made.spoiled = {}
            seen.append({sample.point: sample.value for sample in await session.fetch(["plc.beat", "plc.coil"])})
        assert [each["plc.beat"] for each in seen] == [1, 1, 1, 4, 5, 6, 6, 8, 9]
        assert [each["plc.coil"] for each in seen] == [True, False] * 4 + [True]
        await session.close()
