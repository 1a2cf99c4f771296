"""What the local API tells of shelves and figures, from a real pipeline and a real journal."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, cast

from agent.app.alarm_row import alarm_row
from agent.app.operations import OperationsDesk
from agent.app.parts import Parts
from agent.core.clock import SystemClock
from agent.core.model import Operator, Sample
from agent.journal import Identity, Journal
from agent.pipeline import Pipeline
from tests.fakes import until
from tests.unit.test_operations import Rig

LI = Operator("li", "hmi", "sensor is cleaned")
WHO = Identity("gw", "works", "hall", "0")


class Desk(Rig):
    """A rig whose events reach a disk."""

    def __init__(self, journal: Journal) -> None:
        super().__init__()
        clock = SystemClock()
        self.pipeline = Pipeline(self.pipeline.facts, self.engine, self.annunciator, journal, clock)
        self.clock = cast(Any, clock)
        parts = Parts(clock, journal, self.pipeline, (), {}, None, cast(Any, None))
        self.desk = OperationsDesk(parts)


@asynccontextmanager
async def running(path: Path) -> AsyncIterator[tuple[Desk, Journal]]:
    with Journal(path, WHO, SystemClock()) as journal:
        await journal.alarms()
        desk = Desk(journal)
        desk.desk.prepare()
        task = asyncio.create_task(desk.desk.run())
        yield desk, journal
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def test_figures_and_floods_survive_a_restart(tmp_path: Path) -> None:
    async with running(tmp_path / "journal.db") as (desk, journal):
        for number in range(1, 13):
            desk.set(number, True)
        desk.pipeline.acknowledge("a1", LI)
        desk.pipeline.sweep()
        await journal.settled()
        await until(lambda: desk.desk.report()["spans"]["24h"]["raised"] == 12)
        assert [flood["zone"] for flood in desk.desk.report()["floods"]] == ["press", ""]
    async with running(tmp_path / "journal.db") as (desk, _):
        desk.set(15, True)
        await until(lambda: desk.desk.report()["spans"]["24h"]["raised"] == 13)
        report = desk.desk.report()
        assert report["spans"]["24h"]["acknowledge"]["count"] == 1 and report["raised_10min"] == 13
        desk.pipeline.sweep()
        assert desk.desk.report()["floods"], "the flood of before goes on"


async def test_the_hourly_event_is_what_the_report_says(tmp_path: Path) -> None:
    async with running(tmp_path / "journal.db") as (desk, journal):
        desk.set(1, True)
        desk.desk.publish()
        await journal.settled()
        (event,) = [each for each in await journal.events(10, None, "state") if "kpi" in each["type"]]
    assert event["type"] == "anshao.kpi.v1" and event["data"]["spans"].keys() == {"24h", "30d"}


async def test_what_is_removed_says_who_and_why(tmp_path: Path) -> None:
    async with running(tmp_path / "journal.db") as (desk, _):
        desk.set(1, True)
        assert desk.desk.shelve("a1", 600.0, LI) and desk.desk.take_out("a2", "wang", LI)
        first, second = desk.desk.removed()
        assert (first["id"], first["state"], first["by"], first["active"]) == ("a1", "shelved", "li", True)
        assert (second["id"], second["second"], second["until"]) == ("a2", "wang", None)
        assert desk.desk.unshelve("a1", LI) and desk.desk.bring_back("a2", LI)
        assert desk.desk.removed() == [] and not desk.desk.unshelve("a1", LI)


def test_a_row_says_which_input_is_unknown_and_who_is_muted() -> None:
    rig = Rig()
    rig.set(1, True)
    rig.pipeline.ingest([Sample.bad("press.p1", "connection reset", rig.clock.now())])
    row = alarm_row(rig.engine.definitions["a1"], rig.engine.alarms["a1"], rig.pipeline, rig.clock.now().mono_s)
    assert row["unknown"] == ["press.p1: connection reset"] and not row["muted"] and not row["ack_needs_reason"]
    for number in range(2, 13):
        rig.set(number, True)
    rig.pipeline.sweep()
    rig.flood_point()
    rows = {
        id_: alarm_row(rig.engine.definitions[id_], rig.engine.alarms[id_], rig.pipeline, rig.clock.now().mono_s)
        for id_ in ("a0", "a2")
    }
    assert rows["a2"]["muted"] and not rows["a0"]["muted"] and rows["a0"]["ack_needs_reason"]
    assert rows["a0"]["longest_shelf_s"] == 1800.0
