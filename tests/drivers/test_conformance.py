"""One suite for every driver: the contract of ``agent.core.ports`` against servers that we did not write."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from agent.core.errors import NotConnected, Refused
from agent.core.model import Quality
from tests.drivers.rigs import RIGS, TIMEOUT_S, Corrupting, Proxy, Rig, Silent, fetch_until, read_until

pytestmark = pytest.mark.server
BOUND_S = 2 * TIMEOUT_S + 2.5
"""A driver may take this long to say that its device is gone."""


@pytest.fixture(scope="module", params=sorted(RIGS))
def rig(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    folder: Path = tmp_path_factory.mktemp(request.param)
    made = RIGS[request.param](folder)
    made.server.start()
    yield made
    made.server.kill()


@pytest.fixture
def live(rig: Rig) -> Iterator[Rig]:
    """The rig with its server running, whatever the test before did to it."""
    if rig.server.process is None:
        rig.server.start()
    yield rig


async def test_the_first_batches_hold_every_point_and_one_bad_one_hurts_no_other(live: Rig) -> None:
    driver = live.driver()
    session = await driver.connect()
    seen = await read_until(session, {point.id for point in driver.points})
    assert seen["plc.value"].value == 7 and seen["plc.value"].quality is Quality.GOOD
    assert seen["plc.broken"].quality is Quality.BAD and seen["plc.broken"].reason
    assert seen["plc.writable"].quality is Quality.GOOD
    await session.close()


async def test_points_are_known_before_connecting(live: Rig) -> None:
    points = {point.id: point for point in live.driver().points}
    assert set(points) == {f"plc.{name}" for name in live.points} and points["plc.switch"].writable


async def test_what_is_written_is_read_back(live: Rig) -> None:
    session = await live.driver().connect()
    for value in (-12, 31):
        await session.write("plc.writable", value)
        await fetch_until(session, "plc.writable", value)
    for switch in (True, False):
        await session.write("plc.switch", switch)
        await fetch_until(session, "plc.switch", switch)
    await session.close()


async def test_a_change_is_seen_by_another_session(live: Rig) -> None:
    reader, writer = await live.driver().connect(), await live.driver().connect()
    await read_until(reader, {"plc.writable"})
    await writer.write("plc.writable", 99)
    async with asyncio.timeout(2.0):
        value: object = None
        while value != 99:
            value = (await read_until(reader, {"plc.writable"}))["plc.writable"].value
    await reader.close()
    await writer.close()


async def test_fetch_answers_for_each_point_that_was_asked(live: Rig) -> None:
    session = await live.driver().connect()
    samples = {sample.point: sample for sample in await session.fetch(["plc.value", "plc.broken"])}
    assert samples["plc.value"].value == 7 and samples["plc.broken"].value is None
    await session.close()


async def test_what_the_device_refuses_is_refused(live: Rig) -> None:
    session = await live.driver().connect()
    with pytest.raises(Refused):
        await session.write(*live.refused)
    await fetch_until(session, "plc.value", 7)  # the session lives on
    await session.close()


async def test_a_quiet_session_gives_signs_of_life(live: Rig) -> None:
    session = await live.driver().connect()
    await read_until(session, {"plc.value"})
    started_s = time.monotonic()
    for _ in range(3):
        await session.read()
    assert time.monotonic() - started_s < 4.0
    await session.close()


async def test_a_hung_device_is_lost_in_bounded_time_and_closing_is_quick(live: Rig) -> None:
    session = await live.driver().connect()
    await read_until(session, {"plc.value"})
    live.server.hang()
    started_s = time.monotonic()
    with pytest.raises(NotConnected):
        while time.monotonic() - started_s < 20.0:
            await session.read()
    lost_s = time.monotonic()
    await session.close()
    assert lost_s - started_s < BOUND_S and time.monotonic() - lost_s < 1.2
    live.server.wake()


async def test_a_write_to_a_hung_device_is_not_connected_and_bounded(live: Rig) -> None:
    session = await live.driver().connect()
    live.server.hang()
    started_s = time.monotonic()
    with pytest.raises(NotConnected):
        await session.write("plc.switch", True)
    assert time.monotonic() - started_s < BOUND_S
    await session.close()
    live.server.wake()


async def test_a_killed_device_is_lost_and_a_new_session_works_after_its_restart(live: Rig) -> None:
    driver = live.driver()
    session = await driver.connect()
    await read_until(session, {"plc.value"})
    live.server.kill()
    started_s = time.monotonic()
    with pytest.raises(NotConnected):
        while time.monotonic() - started_s < 20.0:
            await session.read()
    assert time.monotonic() - started_s < BOUND_S
    await session.close()
    with pytest.raises(NotConnected):
        await driver.connect()
    server = live.extra() if live.extra else live.server
    server.start()
    again = await driver.connect()
    assert (await read_until(again, {"plc.value"}))["plc.value"].value == 7
    await again.close()
    server.kill()


async def test_a_half_open_connection_is_lost_in_bounded_time(live: Rig) -> None:
    """The socket lives, and nothing comes through any more: a pulled cable, a firewall that forgot."""
    proxy = Proxy(live.server.port)
    async with proxy as port:
        session = await live.at_port(port).connect()
        await read_until(session, {"plc.value"})
        proxy.is_open = False
        started_s = time.monotonic()
        with pytest.raises(NotConnected):
            while time.monotonic() - started_s < 20.0:
                await session.read()
        assert time.monotonic() - started_s < BOUND_S + 1.0
        await session.close()


async def test_a_slow_device_is_read_rightly(live: Rig) -> None:
    async with Proxy(live.server.port, delay_s=0.05) as port:
        session = await live.at_port(port, timeout=2.0).connect()
        await session.write("plc.writable", 17)
        await fetch_until(session, "plc.writable", 17)
        seen = await read_until(session, {"plc.value", "plc.broken"})
        assert seen["plc.value"].value == 7 and seen["plc.broken"].quality is Quality.BAD
        await session.close()


async def test_one_bad_point_among_a_thousand_hurts_no_other(live: Rig) -> None:
    names = [f"v{number}" for number in range(999)]
    many = replace(live, points={**dict.fromkeys(names, live.points["value"]), "broken": live.points["broken"]})
    session = await many.driver(timeout=3.0).connect()
    seen = await read_until(session, {*(f"plc.{name}" for name in names), "plc.broken"}, limit_s=15.0)
    assert {seen[f"plc.{name}"].value for name in names} == {7} and seen["plc.broken"].quality is Quality.BAD
    await session.close()


@pytest.mark.parametrize(
    "answer", [b"", b"\x00" * 64, b"HTTP/1.1 400 Bad Request\r\n\r\n"], ids=["mute", "zeros", "http"]
)
async def test_who_accepts_and_talks_no_sense_is_not_connected(rig: Rig, answer: bytes) -> None:
    async with Silent(answer) as port:
        started_s = time.monotonic()
        with pytest.raises(NotConnected):
            session = await rig.at_port(port).connect()
            try:
                await session.read()
            finally:
                await session.close()
        assert time.monotonic() - started_s < BOUND_S


async def test_spoiled_answers_raise_nothing_but_what_the_contract_names(live: Rig) -> None:
    async def talk(seed: int) -> None:
        async with Corrupting(live.server.port, seed) as port:
            session = None
            try:
                session = await live.at_port(port).connect()
                for _ in range(5):
                    async with asyncio.timeout(BOUND_S):
                        await session.read()
                        await session.write("plc.switch", True)
            except (NotConnected, Refused):
                pass
            finally:
                if session is not None:
                    await session.close()

    asyncio.get_running_loop().set_exception_handler(lambda _loop, _context: None)  # pymodbus raises in its callback
    await asyncio.gather(*map(talk, range(12)))


async def test_closing_twice_or_after_a_loss_is_harmless_and_quick(live: Rig) -> None:
    session, other = await live.driver().connect(), await live.driver().connect()
    await session.read()
    await other.close()
    live.server.kill()
    for each in (session, session, other):
        started_s = time.monotonic()
        await each.close()
        assert time.monotonic() - started_s < 1.0
    async with asyncio.timeout(0.5):  # no task of the library may be left behind
        while len(asyncio.all_tasks()) > 1:
            await asyncio.sleep(0.01)


async def test_nobody_there(rig: Rig) -> None:
    started_s = time.monotonic()
    with pytest.raises(NotConnected, match=r"127\.0\.0\.1"):
        await rig.at_port(1).connect()
    assert time.monotonic() - started_s < BOUND_S
