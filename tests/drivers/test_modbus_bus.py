"""A line that several units share: turns, silence, late answers, the talk of other masters."""

from __future__ import annotations

import asyncio
import struct
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.clock import SystemClock
from agent.core.errors import NotConnected
from agent.core.model import Sample
from agent.core.ports import Driver
from agent.runner import Runner
from drivers import REGISTRY
from drivers.modbus import pdu
from drivers.modbus.address import Table
from drivers.modbus.demotion import SHARE, Demotion
from drivers.modbus.frames import RtuFraming
from drivers.modbus.turns import Turns
from tests.drivers.rtu_line import RtuLine

KIND = REGISTRY["modbus-tcp"]


def driver(line: RtuLine | Gateway, unit: int, **device: object) -> Driver:
    options = {"host": "127.0.0.1", "port": line.port, "framing": "rtu", "unit": unit, "poll": 0.05, "timeout": 0.2}
    point = {"address": {"table": "holding", "offset": 0}}
    points = {"n": KIND.point.model_validate(point), "m": KIND.point.model_validate({**point, "writable": True})}
    return KIND.build(f"u{unit}", KIND.device.model_validate({**options, **device}), points, SystemClock())


class Seen:
    """Runs drivers as the agent does, and counts what they read."""

    def __init__(self, drivers: Sequence[Driver]) -> None:
        self.good: Counter[str] = Counter()
        self.at: dict[str, list[float]] = {}
        self.wrong: list[Sample] = []
        names = [driver.points[0].id.split(".")[0] for driver in drivers]
        runners = zip(names, drivers, strict=True)
        clock = SystemClock()
        self._runners = [Runner(name, each, clock, self._ingest, lambda *_: None) for name, each in runners]

    async def run(self, seconds: float) -> None:
        tasks = [asyncio.create_task(runner.run()) for runner in self._runners]
        await asyncio.sleep(seconds)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _ingest(self, samples: Sequence[Sample]) -> None:
        for sample in samples:
            unit = sample.point.split(".")[0]
            if sample.point.endswith(".n") and sample.value is not None:
                self.good[unit] += 1
                self.at.setdefault(unit, []).append(sample.received_s)
                if sample.value != int(unit[1:]):
                    self.wrong.append(sample)


async def test_many_units_share_one_connection_and_none_starves() -> None:
    async with RtuLine(set(range(1, 9)), answer_s=0.01) as line:
        seen = Seen([driver(line, unit, poll=0.01) for unit in range(1, 9)])
        await seen.run(1.5)
        assert line.connections == 1
        assert len(seen.good) == 8 and min(seen.good.values()) > 0.7 * max(seen.good.values()), seen.good
        assert not seen.wrong


async def test_a_dead_unit_costs_the_others_a_tenth_of_the_line_at_most() -> None:
    async with RtuLine({1, 2, 3}) as line:
        alone = Seen([driver(line, unit) for unit in (1, 2, 3)])
        await alone.run(2.0)
        with_dead = Seen([driver(line, unit) for unit in (1, 2, 3, 7, 8, 9)])
        await with_dead.run(2.0)
        for unit in ("u1", "u2", "u3"):
            assert with_dead.good[unit] > 0.55 * alone.good[unit], (alone.good, with_dead.good)
        assert not {"u7", "u8", "u9"} & set(with_dead.good)


async def test_a_dead_unit_that_comes_back_is_noticed() -> None:
    async with RtuLine({1}) as line:
        seen = Seen([driver(line, 1), driver(line, 2)])
        task = asyncio.create_task(seen.run(6.0))
        await asyncio.sleep(1.0)
        assert not seen.good["u2"]
        line.units.add(2)
        await task
        assert seen.good["u2"] > 10 and seen.good["u1"] > 50


async def test_an_answer_that_comes_too_late_is_taken_for_no_other() -> None:
    async with RtuLine({1, 2}) as line:
        line.late_s = {1: 0.25}
        seen = Seen([driver(line, 1), driver(line, 2)])
        await seen.run(2.0)
        assert not seen.wrong and seen.good["u2"] > 8 and not seen.good["u1"]


async def test_another_master_and_garbage_on_the_line_break_nothing() -> None:
    other = RtuFraming()
    talk = other.wrap(9, 0, pdu.read(Table.HOLDING, 0, 2).pdu) + other.wrap(9, 0, bytes.fromhex("0304000700FF"))
    async with RtuLine({1, 2}) as line:
        line.noise = talk + b"\x00\xff\x01\x03\x02" + talk
        seen = Seen([driver(line, 1), driver(line, 2)])
        await seen.run(1.0)
        assert line.connections == 1 and not seen.wrong and min(seen.good["u1"], seen.good["u2"]) > 8


async def test_a_line_on_which_nobody_answers_any_more_is_opened_anew() -> None:
    async with RtuLine({1, 2}) as line:
        seen = Seen([driver(line, 1), driver(line, 2)])
        task = asyncio.create_task(seen.run(5.0))
        await asyncio.sleep(0.5)
        line.units.clear()
        await asyncio.sleep(1.0)
        line.units |= {1, 2}
        before = dict(seen.good)
        await task
        assert line.connections >= 2
        assert all(seen.good[unit] > before[unit] for unit in ("u1", "u2"))


async def test_a_write_goes_before_the_polls_that_wait() -> None:
    async with RtuLine({1, 2, 3, 4}, answer_s=0.05) as line:
        sessions = [await driver(line, unit).connect() for unit in (1, 2, 3, 4)]
        polls = [asyncio.create_task(session.read()) for session in sessions[:3]]
        await asyncio.sleep(0.02)
        await sessions[3].fetch(["u4.n"])
        assert line.asked.index(4) == 1, line.asked
        await asyncio.gather(*polls)
        for session in sessions:
            await session.close()


async def test_a_pause_between_requests_is_kept() -> None:
    async with RtuLine({1}, answer_s=0.0) as line:
        session = await driver(line, 1, pause=0.1).connect()
        started_s = time.monotonic()
        for _ in range(4):
            await session.fetch(["u1.n"])
        assert time.monotonic() - started_s > 0.29
        await session.close()


async def test_of_many_units_on_a_line_that_does_not_open_one_waits_and_all_are_told() -> None:
    async with RtuLine({1}) as line:
        port = line.port
    drivers = [driver(line_at(port), unit, timeout=0.3) for unit in range(1, 20)]
    started_s = time.monotonic()
    results = await asyncio.gather(*(each.connect() for each in drivers), return_exceptions=True)
    assert all(isinstance(result, NotConnected) for result in results)
    assert time.monotonic() - started_s < 2.0


def line_at(port: int) -> RtuLine:
    class Nowhere(RtuLine):
        port = 0

    found = Nowhere(set())
    found.port = port
    return found


async def test_turns_are_urgent_first_then_least_recently_served() -> None:
    turns, order = Turns(), []

    async def ask(unit: int, is_urgent: bool = False) -> None:
        async with turns.take(unit, is_urgent):
            order.append(unit)
            await asyncio.sleep(0.001)

    async with asyncio.TaskGroup() as group:
        for unit, is_urgent in ((1, False), (1, False), (1, False), (2, False), (3, True), (2, False)):
            group.create_task(ask(unit, is_urgent))
    assert order == [1, 3, 2, 1, 2, 1]


async def test_who_gives_up_waiting_leaves_the_line_to_others() -> None:
    turns = Turns()

    async def hold() -> None:
        async with turns.take(1, False):
            await asyncio.sleep(0.01)

    tasks = [asyncio.create_task(hold()) for _ in range(6)]
    await asyncio.sleep(0.005)
    for task in tasks[1:5]:
        task.cancel()
    async with asyncio.timeout(1.0):
        await asyncio.gather(*tasks, return_exceptions=True)
        await hold()


@given(st.lists(st.tuples(st.integers(min_value=1, max_value=5), st.floats(min_value=0.0, max_value=3.0)), max_size=60))
def test_silent_units_get_a_tenth_of_the_time_at_most(asks: list[tuple[int, float]]) -> None:
    """All units are dead and ask whenever they may; each question costs one second."""
    demotion, now_s, spent_s = Demotion(), 0.0, 0.0
    for unit in range(1, 6):
        demotion.missed(unit, now_s, 1.0, 0.0)
    for unit, later_s in asks:
        now_s += later_s
        if demotion.wait_s(unit, now_s, is_shared=True) <= 0:
            demotion.reserve(unit, 1.0, now_s)
            now_s, spent_s = now_s + 1.0, spent_s + 1.0
            demotion.missed(unit, now_s, 1.0, 0.0)
    assert spent_s <= now_s / SHARE + 1.0


def test_alone_on_a_line_nobody_is_held_up() -> None:
    demotion = Demotion()
    demotion.missed(1, 0.0, 1.0, 0.5)
    assert demotion.wait_s(1, 0.0, is_shared=False) == 0.5, "only a late answer is waited for"
    assert demotion.wait_s(1, 0.0, is_shared=True) == SHARE - 1
    demotion.answered(1, 0.0)
    assert not demotion.is_silent(1)


def test_a_network_name_that_is_none_is_not_connected() -> None:
    async def connect() -> None:
        options = KIND.device.model_validate({"host": "x" * 300})
        await KIND.build("plc", options, {}, SystemClock()).connect()

    with pytest.raises(NotConnected, match="are host and port right"):
        asyncio.run(connect())


class Gateway:
    """A Modbus TCP gateway: unit n answers n in every register; ``odd`` makes of a right answer what it sends.

    Half of the answers of units that are ``late_s`` comes at once.
    """

    def __init__(self, odd: dict[int, Callable[[bytes], bytes]], late_s: dict[int, float] | None = None) -> None:
        self._odd, self._late_s = odd, late_s or {}
        self.connections = 0
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Gateway:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()

    @property
    def port(self) -> int:
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        with closing(writer), suppress(asyncio.IncompleteReadError, OSError):
            while True:
                number, _, _, unit, function, _, count = struct.unpack(">HHHBBHH", await reader.readexactly(12))
                pdu_ = struct.pack(f">BB{count}H", function, 2 * count, *[unit] * count)
                pdu_ = self._odd.get(unit, bytes)(pdu_)
                frame = struct.pack(">HHHB", number, 0, len(pdu_) + 1, unit) + pdu_
                if unit in self._late_s:
                    writer.write(frame[:9])
                    await asyncio.sleep(self._late_s[unit])
                    frame = frame[9:]
                writer.write(frame)


@pytest.mark.parametrize(
    "odd",
    [lambda answer: answer[:-1], lambda answer: b"\x2b" + answer[1:], lambda _: b"\x83"],
    ids=["short", "43", "1"],
)
async def test_a_unit_that_answers_nonsense_hurts_no_other_on_its_line(odd: Callable[[bytes], bytes]) -> None:
    async with Gateway({7: odd}) as gateway:
        seen = Seen([driver(gateway, unit, framing="tcp", poll=0.02) for unit in (1, 2, 7)])
        await seen.run(1.5)
        assert gateway.connections == 1 and not seen.good["u7"]
        assert min(seen.good["u1"], seen.good["u2"]) > 30, seen.good


async def test_the_answer_to_a_request_that_was_given_up_is_taken_for_no_other() -> None:
    async with RtuLine({1}, answer_s=0.1) as line:
        session = await driver(line, 1, timeout=0.5).connect()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.03):
                await session.fetch(["u1.n"])
        line.value = 42
        (sample,) = await session.fetch(["u1.n"])
        assert sample.value == 42, "what was asked later has the later value"
        await session.close()


async def test_a_late_answer_is_not_taken_by_who_waited_behind() -> None:
    async with RtuLine({1, 2}) as line:
        first, second, other = [await driver(line, unit).connect() for unit in (1, 1, 2)]
        await first.fetch(["u1.n"])
        await other.fetch(["u2.n"])
        line.late_s = {1: 0.25}
        late = asyncio.create_task(first.fetch(["u1.n"]))
        await asyncio.sleep(0.02)
        waiting = asyncio.create_task(second.fetch(["u1.n"]))
        await asyncio.sleep(0.1)
        line.late_s, line.value = {1: 0.1}, 42
        with pytest.raises(NotConnected):
            await late
        assert [sample.value for sample in await waiting] == [42]
        for session in (first, second, other):
            await session.close()


async def test_one_lost_frame_does_not_demote_a_unit_that_is_well() -> None:
    async with RtuLine({1, 2}) as line:
        seen = Seen([driver(line, 1), driver(line, 2)])
        task = asyncio.create_task(seen.run(4.5))
        await asyncio.sleep(2.5)
        line.units.discard(2)
        await asyncio.sleep(0.1)
        line.units.add(2)
        await task
        gaps = [after - before for before, after in pairwise([*seen.at["u2"], time.monotonic()])]
        assert max(gaps) < 1.4, "it is asked again at once, not after its share of the line's time"


def test_only_a_unit_that_was_well_for_long_is_asked_again_at_once() -> None:
    demotion = Demotion()
    demotion.answered(1, 0.0)
    demotion.missed(1, 100.0, 1.0, 0.0)
    assert demotion.wait_s(1, 100.0, is_shared=True) == 0.0
    demotion.missed(1, 101.0, 1.0, 0.0)
    assert demotion.wait_s(1, 101.0, is_shared=True) == SHARE - 1
    demotion.answered(1, 103.0)
    demotion.missed(1, 105.0, 1.0, 0.0)
    assert demotion.wait_s(1, 105.0, is_shared=True) > 0.0, "it flaps"


async def test_a_device_without_points_lives() -> None:
    async with Gateway({}) as gateway:
        options = KIND.device.model_validate({"host": "127.0.0.1", "port": gateway.port, "timeout": 0.3})
        session = await KIND.build("plc", options, {}, SystemClock()).connect()
        assert list(await session.read()) == list(await session.read()) == []
        await session.close()
