"""The weekly test with a plant in memory, and with the hours of a clock that the test moves."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from agent.annunciation import Annunciator, OutputKind
from agent.annunciation.self_test import POINT, SelfTest, SelfTestOptions
from agent.annunciation.self_test import Tested as Result
from agent.annunciation.self_test import Tester as Switch
from agent.core.calendars import Weekly
from agent.core.clock import SystemClock
from agent.core.model import Instant, Level, Operator, PointInfo, Sample
from agent.facts import FactTable
from agent.outputs import Output, OutputBus
from agent.pipeline import Pipeline
from rules.engine import Engine
from rules.kinds.level import LevelOptions
from tests.fakes import FakeDevice, FakeDriver, FakeRecorder, until

LI = Operator("li", "cli")
GAS = {"id": "gas", "name": "Gas", "input": "room.gas", "limits": {"H": {"at": 20, "priority": "P1", "on_delay": "0s"}}}
POINTS = {"room.gas": PointInfo("room.gas")}


@pytest.mark.parametrize(
    ("text", "utc", "latest"),
    [
        ("mon 10:00", datetime(2026, 3, 2, 2, 0, tzinfo=UTC), datetime(2026, 3, 2, 2, 0, tzinfo=UTC)),
        ("mon 10:00", datetime(2026, 3, 2, 1, 59, tzinfo=UTC), datetime(2026, 2, 23, 2, 0, tzinfo=UTC)),
        ("daily 06:30", datetime(2026, 3, 4, 0, 0, tzinfo=UTC), datetime(2026, 3, 3, 22, 30, tzinfo=UTC)),
        ("sat-sun 00:00", datetime(2026, 3, 6, 16, 0, tzinfo=UTC), datetime(2026, 3, 6, 16, 0, tzinfo=UTC)),
    ],
)
def test_the_last_moment_of_the_week_that_has_come(text: str, utc: datetime, latest: datetime) -> None:
    assert Weekly.parse(text).latest(utc, ZoneInfo("Asia/Shanghai")) == latest


class Clock(SystemClock):
    """Real monotonic time, so that the plant turns; the calendar is the test's."""

    def __init__(self) -> None:
        self.utc = datetime(2026, 3, 2, 9, 59, tzinfo=UTC)

    def now(self) -> Instant:
        return super().now()._replace(utc=self.utc)


class Site:
    def __init__(self, folder: Path, at: str | None = "mon 10:00") -> None:
        self.device, self.clock, self.recorder = (
            FakeDevice({"plc.siren": False, "plc.red": False}),
            Clock(),
            FakeRecorder(),
        )
        levels = {Level.OFF: False, Level.ON: True}
        kinds = {"siren": OutputKind.SIREN, "red": OutputKind.RED}
        outputs = {name: Output(name, kind, f"plc.{name}", f"plc.{name}", levels) for name, kind in kinds.items()}
        annunciator = Annunciator(kinds, {}, lambda: self.bus.wake())
        self.bus = OutputBus(
            "plc", FakeDriver(self.device, self.clock), list(outputs.values()), lambda: annunciator.wanted, self.clock
        )
        engine = Engine(LevelOptions.model_validate(GAS | {"kind": "level"}).compile(POINTS))
        self.pipeline = Pipeline(FactTable(POINTS.values()), engine, annunciator, self.recorder, self.clock)
        self.tester = Switch(self.pipeline, outputs, self.clock)
        self.file = folder / "state" / "self_test.json"
        options = SelfTestOptions.model_validate({"at": at, "seconds": 0.2} if at else {"seconds": 0.2})
        self.test = SelfTest(options, UTC, self.tester, self.recorder, self.file)

    def gas(self, value: float) -> None:
        self.pipeline.ingest([Sample.good("room.gas", value, self.clock.now())])

    def ok(self) -> object:
        sample = self.pipeline.facts.get(POINT, self.clock.now().mono_s)
        return sample.value if sample else None

    def results(self) -> list[dict[str, Any]]:
        assert all(event.test for event in self.recorder.events if event.kind.startswith("test."))
        return [dict(event.data) for event in self.recorder.events if event.kind == "test.result"]


@asynccontextmanager
async def running(site: Site) -> AsyncIterator[Site]:
    tasks = [asyncio.create_task(site.bus.run()), asyncio.create_task(site.test.run())]
    try:
        await until(lambda: all(output.seen is not None for output in site.bus.outputs))
        yield site
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_it_tests_at_its_hour_once_and_keeps_that_it_did(tmp_path: Path) -> None:
    async with running(Site(tmp_path)) as site:
        await until(lambda: site.ok() is True)
        assert site.results() == [], "a new installation has missed nothing"
        site.clock.utc = datetime(2026, 3, 2, 10, 0, 5, tzinfo=UTC)
        await until(lambda: len(site.results()) == 1, limit_s=10.0)
        await asyncio.sleep(0.8)
        assert site.device.writes == [("plc.siren", True), ("plc.siren", False), ("plc.red", True), ("plc.red", False)]
        assert len(site.results()) == 1 and site.results()[0]["passed"]
        await until(lambda: json.loads(site.file.read_text())["done"].startswith("2026-03-02T10:00"))
        assert all(event.test for event in site.recorder.events if event.kind == "output.state")


async def test_a_test_that_was_missed_is_told_and_is_not_made_up_for(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.file.parent.mkdir()
    site.file.write_text('{"done": "2026-02-16T10:00:01+00:00", "ok": true}')
    async with running(site):
        await until(lambda: site.ok() is False)
        assert site.results()[0]["reason"] == "missed" and site.device.writes == []
        await until(lambda: '"ok": false' in site.file.read_text())
    again = Site(tmp_path)
    async with running(again):
        await until(lambda: again.ok() is False)
        assert again.results() == [], "told once"


async def test_a_clock_that_was_never_set_tests_and_misses_nothing(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.file.parent.mkdir()
    site.file.write_text('{"done": "2026-02-16T10:00:01+00:00", "ok": true}')
    site.clock.utc = datetime(1970, 1, 5, 10, 0, tzinfo=UTC)
    async with running(site):
        await asyncio.sleep(0.7)
        assert site.ok() is True and site.results() == []


async def test_what_does_not_follow_fails_and_the_next_is_still_tested(tmp_path: Path) -> None:
    site = Site(tmp_path, at=None)
    site.device.ignores.add("plc.siren")
    async with running(site):
        site.test.start(LI)
        await until(lambda: site.ok() is False, limit_s=10.0)
        siren, red = site.results()[0]["outputs"]
        assert (siren["confirmed"], siren["reason"]) == (False, "wanted on, read back False")
        assert red["confirmed"] and red["latency_ms"] < 500


async def test_a_real_alarm_takes_the_place_of_a_test(tmp_path: Path) -> None:
    async with running(Site(tmp_path)) as site:
        testing = asyncio.create_task(site.tester.test("red", 30.0, LI))
        await until(lambda: site.device.values["plc.red"] is True)
        assert (site.pipeline.annunciator.wanted["siren"], site.pipeline.annunciator.wanted["red"]) == ("off", "on")
        site.gas(50)
        assert (site.pipeline.annunciator.wanted["siren"], site.pipeline.annunciator.wanted["red"]) == (
            "modulated",
            "flash",
        )
        testing.cancel()


async def test_nothing_is_tested_while_an_alarm_sounds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agent.annunciation.self_test._PREEMPTED_S", 0.3)
    async with running(Site(tmp_path)) as site:
        site.gas(50)
        result = await site.tester.test("siren", 0.2, LI)
        assert result == Result("siren", False, None, "an alarm sounds; not tested")
        site.pipeline.silence(None, LI)
        assert (await site.tester.test("siren", 0.2, LI)).confirmed, "silenced: it can be tested"


async def test_a_person_says_what_was_heard(tmp_path: Path) -> None:
    async with running(Site(tmp_path, at=None)) as site:
        assert not site.test.confirm(True, LI), "there was no test"
        site.test.start(LI)
        await until(lambda: site.ok() is True, limit_s=10.0)
        assert site.test.confirm(True, LI) and site.ok() is True
        assert site.test.confirm(False, LI) and site.ok() is False
        told = [event.data["heard"] for event in site.recorder.events if event.kind == "test.confirmed"]
        assert told == [True, False]
