from __future__ import annotations

import asyncio

import pytest

from agent.core.clock import SystemClock
from agent.core.errors import NotConnected, Refused
from agent.core.model import Quality, Sample
from agent.runner import Link, Runner
from tests.fakes import FakeDevice, FakeDriver, until


class Watched:
    def __init__(self) -> None:
        self.device = FakeDevice({"plc.a": 1})
        self.latest: dict[str, Sample] = {}
        self.links: list[tuple[bool, str]] = []
        clock = SystemClock()
        driver = FakeDriver(self.device, clock)
        self.runner = Runner("plc", driver, clock, self.ingest, lambda _, up, why: self.links.append((up, why)))

    def ingest(self, samples: object) -> None:
        assert isinstance(samples, list | tuple)
        self.latest.update({sample.point: sample for sample in samples})

    def online(self) -> object:
        sample = self.latest.get("plc.online")
        return sample.value if sample else None


async def test_lost_marks_every_point_bad_and_back_makes_them_good() -> None:
    watched = Watched()
    task = asyncio.create_task(watched.runner.run())
    await until(lambda: watched.online() is True)
    assert watched.latest["plc.a"].value == 1 and watched.runner.state.link is Link.ONLINE
    watched.device.kill()
    await until(lambda: watched.online() is False)
    assert watched.latest["plc.a"].quality is Quality.BAD and watched.latest["plc.a"].reason == "connection reset"
    assert watched.latest["plc.online"].quality is Quality.GOOD
    watched.device.alive = True
    await until(lambda: watched.online() is True)
    assert watched.latest["plc.a"].value == 1
    assert watched.links == [(True, ""), (False, "connection reset"), (True, "")]
    task.cancel()


async def test_a_device_that_was_never_there_is_offline_not_unknown() -> None:
    watched = Watched()
    watched.device.alive = False
    task = asyncio.create_task(watched.runner.run())
    await until(lambda: watched.online() is False)
    await asyncio.sleep(0.6)
    assert watched.links == [(False, "connection refused")], "told once, however often it is tried"
    task.cancel()


async def test_a_write_goes_over_the_connection_that_reads_and_what_is_there_then_is_taken_in() -> None:
    watched = Watched()
    with pytest.raises(NotConnected, match="nothing was written"):
        await watched.runner.write("plc.a", 7)
    task = asyncio.create_task(watched.runner.run())
    await until(lambda: watched.online() is True)
    await watched.runner.write("plc.a", 7)
    assert watched.device.sessions == 1 and watched.device.writes == [("plc.a", 7)]
    assert watched.latest["plc.a"].value == 7
    watched.device.refuses.add("plc.a")
    with pytest.raises(Refused):
        await watched.runner.write("plc.a", 8)
    watched.device.kill()
    await until(lambda: watched.online() is False)
    with pytest.raises(NotConnected, match="nothing was written"):
        await watched.runner.write("plc.a", 9)
    assert watched.device.writes == [("plc.a", 7)] and watched.latest["plc.a"].quality is Quality.BAD
    task.cancel()
