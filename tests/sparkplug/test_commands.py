"""A host asks; what is not allowed, late or overtaken is refused, and everything is told and answered."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from agent.core.clock import ManualClock
from agent.core.errors import NotConnected, Refused
from agent.core.model import EventDraft, PointInfo, Sample, Value
from agent.sparkplug.catalogue import Catalogue
from agent.sparkplug.commands import MOST_WAITING, Commands, Judge
from agent.sparkplug.sparkplug_b_pb2 import Payload
from agent.sparkplug.values import millis

POINTS = ("pump.speed", "pump.valve", "fan.speed", "fan.siren")


class Plant:
    """Devices that answer as they are told."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.told: list[EventDraft] = []
        self.answered: list[str] = []
        self.written: list[tuple[str, Value]] = []
        self.outcome: Callable[[], None] = lambda: None
        self.gate = asyncio.Event()
        self.gate.set()
        catalogue = Catalogue([PointInfo(id_) for id_ in POINTS], ("pump", "fan"), POINTS[:3])
        for point, value in (("pump.speed", 1.5), ("pump.valve", True), ("fan.speed", 1)):
            catalogue.entries[point].widen(Sample.good(point, value, self.clock.now()))
        self.judge = Judge(catalogue, age_s=30.0)
        self.commands = Commands(self.judge, self.write, self.told.append, self.answered.append, self.clock, "scada")

    async def write(self, point: str, value: Value) -> None:
        if point.startswith("pump."):
            await self.gate.wait()
        self.outcome()
        self.written.append((point, value))

    def asks(self, device: str, name: str, value: Value, age_s: float | None = 0.0, retained: bool = False) -> None:
        payload = Payload()
        if age_s is not None:
            payload.timestamp = millis(self.clock.now().utc) - int(age_s * 1000)
        metric = payload.metrics.add(name=name)
        if isinstance(value, bool):
            metric.boolean_value = value
        elif isinstance(value, int):
            metric.long_value = value
        elif isinstance(value, float):
            metric.double_value = value
        else:
            metric.string_value = str(value)
        self.commands.take(device, payload.SerializeToString(), retained)

    @property
    def results(self) -> list[Any]:
        return [event.data["result"] for event in self.told]

    async def settles(self, seconds: float = 0.02) -> None:
        await asyncio.sleep(seconds)


@asynccontextmanager
async def commanded() -> AsyncIterator[Plant]:
    """A plant whose commands are carried out."""
    plant = Plant()
    task = asyncio.create_task(plant.commands.run())
    await plant.settles()
    yield plant
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
async def plant() -> AsyncIterator[Plant]:
    async with commanded() as plant:
        yield plant


async def test_what_is_listed_is_written_told_before_and_after_and_answered(plant: Plant) -> None:
    plant.gate.clear()
    plant.asks("pump", "speed", 40.5)
    await plant.settles()
    assert plant.results == ["ordered"], "it is in the journal before it is in the plant"
    plant.gate.set()
    await plant.settles()
    assert plant.written == [("pump.speed", 40.5)] and plant.answered == ["pump.speed"]
    assert plant.results == ["ordered", "done"]
    data = plant.told[-1].data
    assert (data["point"], data["value"]) == ("pump.speed", 40.5)
    assert data["operator"] == {"name": "scada", "via": "sparkplug", "note": ""}


@pytest.mark.parametrize(
    ("device", "name", "value", "more", "why"),
    [
        ("fan", "siren", True, {}, "not under 'writable'"),
        ("fan", "no such", True, {}, "no metric"),
        ("pump", "siren", True, {}, "no metric"),  # a device's command reaches no other device
        ("pump", "speed", "fast", {}, "is no double"),
        ("pump", "valve", 1, {}, "is no boolean"),
        ("pump", "speed", 1.0, {"age_s": None}, "no timestamp"),
        ("pump", "speed", 1.0, {"age_s": 31.0}, "31 s old"),
        ("pump", "speed", 1.0, {"age_s": -31.0}, "ahead of our clock"),
        ("pump", "speed", 1.0, {"retained": True}, "kept it"),
    ],
)
async def test_what_must_not_be_is_refused_and_told(
    plant: Plant, device: str, name: str, value: Value, more: dict[str, Any], why: str
) -> None:
    plant.asks(device, name, value, **more)
    await plant.settles()
    assert plant.written == [] and plant.results == ["refused"]
    assert why in str(plant.told[0].data["reason"])
    assert plant.answered == ([f"{device}.{name}"] if f"{device}.{name}" in POINTS[:3] else [])


async def test_a_command_counts_once_and_a_late_one_undoes_no_newer_one(plant: Plant) -> None:
    plant.asks("pump", "speed", 2.0)
    plant.asks("pump", "speed", 2.0)
    plant.asks("pump", "speed", 1.0, age_s=1.0)
    plant.clock.advance(0.5)
    plant.asks("pump", "speed", 2.0)
    await plant.settles()
    assert plant.written == [("pump.speed", 2.0), ("pump.speed", 2.0)]


@pytest.mark.parametrize(
    ("error", "result"), [(Refused("interlocked"), "refused"), (NotConnected("no answer"), "unknown")]
)
async def test_what_the_device_says_is_told(plant: Plant, error: Exception, result: str) -> None:
    def fails() -> None:
        raise error

    plant.outcome = fails
    plant.asks("pump", "speed", 2.0)
    await plant.settles()
    assert plant.results == ["ordered", result] and str(error) in str(plant.told[-1].data["reason"])
    assert plant.answered == ["pump.speed"], "the host is told what is there now"


async def test_a_device_that_hangs_delays_no_other_and_what_waited_too_long_is_not_written(plant: Plant) -> None:
    plant.gate.clear()
    plant.asks("pump", "speed", 2.0)
    plant.asks("pump", "valve", False)
    plant.asks("fan", "speed", 3)
    await plant.settles()
    assert plant.written == [("fan.speed", 3)]
    plant.clock.advance(31.0)
    plant.gate.set()
    await plant.settles()
    assert plant.written == [("fan.speed", 3), ("pump.speed", 2.0)], "the valve's order is too old by now"
    assert "waited longer" in str(plant.told[-1].data["reason"])


async def test_a_flood_of_commands_fills_neither_memory_nor_journal(plant: Plant) -> None:
    plant.gate.clear()
    for number in range(10 * MOST_WAITING):
        plant.asks("pump", "speed", float(number))
        plant.commands.take("pump", b"\xff garbage", False)
    assert plant.results.count("refused") == 1
    assert plant.results.count("ordered") <= MOST_WAITING + 1
    plant.clock.advance(1.0)
    plant.asks("fan", "no such", True)
    assert plant.told[-1].data["also_refused"] == 10 * MOST_WAITING * 2 - plant.results.count("ordered") - 1
