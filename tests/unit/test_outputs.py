from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from agent.annunciation import OutputKind
from agent.core.clock import SystemClock
from agent.core.errors import Refused
from agent.core.model import Level, Value
from agent.outputs import Heartbeat, Output, OutputBus
from tests.fakes import FakeDevice, FakeDriver, FakeSession, until

LEVELS = {Level.OFF: False, Level.ON: True}


class Plant:
    def __init__(self, on_stop: Level | None = None) -> None:
        self.device = FakeDevice({"plc.siren": False})
        self.wanted = {"siren": Level.OFF}
        clock = SystemClock()
        self.output = Output("siren", OutputKind.SIREN, "plc.siren", "plc.siren", LEVELS, on_stop)
        self.bus = OutputBus("plc", FakeDriver(self.device, clock), [self.output], lambda: self.wanted, clock)

    def want(self, level: Level) -> None:
        self.wanted["siren"] = level
        self.bus.wake()

    def siren(self) -> object:
        return self.device.values["plc.siren"]


@asynccontextmanager
async def running(plant: Plant) -> AsyncIterator[Plant]:
    task = asyncio.create_task(plant.bus.run())
    try:
        yield plant
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_writes_at_once_and_reads_back() -> None:
    async with running(Plant()) as plant:
        await until(lambda: plant.output.seen is Level.OFF)
        plant.want(Level.ON)
        await until(lambda: plant.siren() is True and plant.output.is_at(Level.ON), limit_s=0.2)
        assert plant.output.reason == ""


async def test_another_master_that_overwrites_the_coil_is_put_right() -> None:
    async with running(Plant()) as plant:
        plant.want(Level.ON)
        await until(lambda: plant.siren() is True)
        plant.device.values["plc.siren"] = False
        await until(lambda: plant.siren() is True, limit_s=1.5)


async def test_nothing_is_written_while_the_plant_follows() -> None:
    async with running(Plant()) as plant:
        plant.want(Level.ON)
        await until(lambda: plant.siren() is True)
        await asyncio.sleep(1.2)
        assert plant.device.writes == [("plc.siren", True)]


async def test_a_restarted_plc_gets_the_wanted_level_again() -> None:
    async with running(Plant()) as plant:
        plant.want(Level.ON)
        await until(lambda: plant.siren() is True)
        plant.device.alive = False
        await until(lambda: plant.output.seen is None)
        plant.device.values["plc.siren"] = False
        plant.device.alive = True
        await until(lambda: plant.siren() is True)
        assert plant.device.sessions >= 2


async def test_an_output_that_does_not_follow_fails_after_three_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agent.outputs.MISMATCH_LIMIT_S", 0.3)
    plant = Plant()
    plant.device.ignores.add("plc.siren")
    async with running(plant):
        await until(lambda: plant.output.seen is Level.OFF)
        now = SystemClock().now().mono_s
        assert plant.bus.failed(now) == {}
        plant.want(Level.ON)
        await until(lambda: plant.bus.failed(SystemClock().now().mono_s) != {})
        assert plant.bus.failed(SystemClock().now().mono_s) == {"siren": "wanted on, read back False"}
        plant.device.ignores.clear()
        await until(lambda: plant.bus.failed(SystemClock().now().mono_s) == {})


async def test_a_refused_write_is_reported_with_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agent.outputs.MISMATCH_LIMIT_S", 0.1)
    plant = Plant()
    plant.device.refuses.add("plc.siren")
    async with running(plant):
        plant.want(Level.ON)
        await until(lambda: "siren" in plant.bus.failed(SystemClock().now().mono_s))


async def test_a_device_that_never_answers_counts_as_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agent.outputs.MISMATCH_LIMIT_S", 0.2)
    plant = Plant()
    plant.device.alive = False
    async with running(plant):
        await until(lambda: plant.bus.failed(SystemClock().now().mono_s) == {"siren": "connection refused"})
        plant.device.alive = True
        await until(lambda: plant.bus.failed(SystemClock().now().mono_s) == {})


async def test_what_was_seen_long_ago_confirms_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agent.outputs.MISMATCH_LIMIT_S", 0.6)
    async with running(Plant()) as plant:
        await until(lambda: plant.output.seen is Level.OFF)
        await asyncio.sleep(0.1)
        assert plant.bus.failed(SystemClock().now().mono_s) == {}
        now_s = SystemClock().now().mono_s
    assert "siren" in plant.bus.failed(now_s + 5.0), "nobody reads back any more"


async def test_a_driver_with_a_bug_leaves_no_output_confirmed() -> None:
    plant = Plant()
    async with running(plant):
        await until(lambda: plant.output.seen is Level.OFF)
        plant.device.values.clear()
        await until(lambda: plant.output.seen is None)
        assert plant.output.reason == "the driver failed; see the log"


@pytest.mark.parametrize(("on_stop", "left"), [(None, True), (Level.OFF, False), (Level.ON, True)])
async def test_leaves_the_level_that_the_site_wants(on_stop: Level | None, left: bool) -> None:
    plant = Plant(on_stop)
    async with running(plant):
        plant.want(Level.ON)
        await until(lambda: plant.siren() is True)
    await plant.bus.stop()
    assert plant.siren() is left


def beating(device: FakeDevice, is_alive: list[bool]) -> OutputBus:
    clock = SystemClock()
    heartbeat = Heartbeat("plc.beat", lambda: is_alive[0])
    return OutputBus("plc", FakeDriver(device, clock), [], lambda: {}, clock, heartbeat)


async def test_a_heartbeat_counts_up_while_the_rules_turn_and_stands_still_when_they_do_not() -> None:
    device, is_alive = FakeDevice({"plc.beat": 0}), [True]
    task = asyncio.create_task(beating(device, is_alive).run())
    await until(lambda: device.writes == [("plc.beat", 1), ("plc.beat", 2)], limit_s=2.0)
    is_alive[0] = False
    await asyncio.sleep(1.2)
    assert len(device.writes) == 2
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_with_refresh_an_output_is_written_at_every_cycle() -> None:
    plant = Plant()
    plant.bus = OutputBus(
        "plc", FakeDriver(plant.device, SystemClock()), [plant.output], lambda: plant.wanted, SystemClock(), None, True
    )
    async with running(plant):
        await until(lambda: plant.device.writes == [("plc.siren", False)] * 3, limit_s=3.0)


class Picky(FakeSession):
    """Refuses what ``takes`` says no to."""

    def __init__(self, takes: Callable[[Value], bool]) -> None:
        self.device = FakeDevice({"plc.beat": 0})
        super().__init__(self.device, SystemClock())
        self.takes = takes

    async def write(self, point: str, value: Value) -> None:
        if not self.takes(value):
            raise Refused("device busy")
        await super().write(point, value)

    @property
    def written(self) -> list[Value]:
        return [value for _, value in self.device.writes]


async def test_a_device_that_was_busy_gets_the_next_count() -> None:
    heartbeat, session = Heartbeat("plc.beat", lambda: True), Picky(lambda _: True)
    busy_at = {2, 5, 6, 9}
    for beat in range(1, 13):
        refusals = iter([beat in busy_at, False])
        session.takes = lambda _, refusals=refusals: not next(refusals)  # type: ignore[misc]
        await heartbeat.beat(session)
    assert session.written == [1, 0, 3, 4, 1, 0, 7, 8, 1, 10, 11, 12], "and at no beat did it stand still"
    session.takes = lambda _: False
    for _ in range(9):
        await heartbeat.beat(session)
    session.takes = lambda _: True
    await heartbeat.beat(session)
    assert session.written[-1] == 22


async def test_a_coil_gets_0_and_1_and_is_not_asked_for_more_after_a_while() -> None:
    heartbeat, session = Heartbeat("plc.beat", lambda: True), Picky(lambda _: True)
    tried: list[Value] = []

    def coil(value: Value) -> bool:
        tried.append(value)
        return value in (0, 1)

    session.takes = coil
    for _ in range(8):
        await heartbeat.beat(session)
    assert session.written == [1, 0] * 4
    assert tried == [1, 2, 0, 3, 1, 4, 0, 1, 0, 1, 0]


async def test_a_refused_heartbeat_leaves_the_outputs_their_connection() -> None:
    plant = Plant()
    plant.device.values["plc.beat"] = 0
    plant.device.refuses.add("plc.beat")
    clock = SystemClock()
    heartbeat = Heartbeat("plc.beat", lambda: True)
    driver = FakeDriver(plant.device, clock)
    plant.bus = OutputBus("plc", driver, [plant.output], lambda: plant.wanted, clock, heartbeat)
    async with running(plant):
        await asyncio.sleep(2.2)
        plant.want(Level.ON)
        await until(lambda: plant.siren() is True, limit_s=0.3)
        assert plant.device.sessions == 1 and plant.output.reason == ""
