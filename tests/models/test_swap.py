"""A camera goes on with another model: nobody is forgotten, and no second is missed."""

from __future__ import annotations

import asyncio
import json
import time
from multiprocessing import get_context
from pathlib import Path

import pytest

from agent.core.errors import Refused
from agent.core.model import Quality
from models.detection import Box, Detection, Wearing
from models.options import CameraOptions
from models.scene import Scene
from models.trust.memory import Memory
from models.vocabulary import Gear
from tests.models.bundles import bundle
from tests.models.cameras import ZONES, camera, connected, gone, read_until, sees


def test_those_who_are_handed_over_are_judged_as_before() -> None:
    zones = camera(zones=ZONES)._options.watched
    before, after = Scene(zones, 0.5), Scene(zones, 0.5)
    person = Detection(Box(400, 100, 480, 400), 0.9, gear={Gear.HELMET: Wearing.MISSING})
    for step in range(5):
        told = before.judge([person], 960, 576, step * 0.2)
    after.take_over(json.loads(json.dumps(before.hand_over())))
    bare = Detection(Box(402, 100, 482, 400), 0.9)  # the new model cannot tell yet
    assert after.judge([bare], 960, 576, 1.0).zones["yard"] == told.zones["yard"]
    assert told.zones["yard"].missing[Gear.HELMET] == 1


async def test_no_second_is_missed_or_forgotten_and_the_old_worker_goes(tmp_path: Path) -> None:
    driver = camera(zones={"yard": {**ZONES["yard"], "loiter_after": "1h"}})
    stays: list[float] = []
    new = bundle(tmp_path / "new")
    async with connected(driver) as session:
        await read_until(session, lambda facts: sees(facts) and bool(facts["gate.persons"].value))
        old_pid, gaps, last_s = session.pid, [], time.monotonic()
        swap = asyncio.create_task(driver.swap(new))
        while not swap.done():
            for sample in await session.read():
                assert sample.quality is not Quality.BAD
                if sample.point == "gate.no_helmet":
                    gaps.append(time.monotonic() - last_s)
                    last_s = time.monotonic()
                if sample.point == "gate.yard.longest_stay":
                    stays.append(float(str(sample.value)))
        await swap
        facts = await read_until(session, sees)
        assert float(str(facts["gate.yard.longest_stay"].value)) >= stays[-1] > 2
        gaps.append(time.monotonic() - last_s)
        assert driver.bundle == new and session.pid != old_pid and await gone(old_pid)
        assert max(gaps) < 1.0
        assert (await asyncio.gather(driver.prove(), _read(session)))[0].picture.startswith("golden/")


async def test_what_does_not_start_is_refused_and_changes_nothing(tmp_path: Path) -> None:
    driver = camera()
    broken = bundle(tmp_path / "broken", detector={"sure": 0.999})
    async with connected(driver) as session:
        before, pid = driver.bundle, session.pid
        swap = asyncio.create_task(driver.swap(broken))
        while not swap.done():
            await session.read()
        with pytest.raises(Refused, match="golden answers"):
            await swap
        assert (driver.bundle, session.pid) == (before, pid)
        await read_until(session, sees)


async def test_a_model_that_cannot_judge_what_is_demanded_is_refused(tmp_path: Path) -> None:
    blind = bundle(tmp_path / "blind", classifier=None, detector={"classes": ["person"]})
    with pytest.raises(Refused, match="cannot judge helmet"):
        await camera().swap(blind)


def _save_often(path: Path, view: str) -> None:
    memory = Memory(path, CameraOptions(source="rtsp://cam/1"))
    for _ in range(100):
        memory.save({"view": view * 20_000})


def test_two_workers_that_remember_at_once_spoil_nothing(tmp_path: Path) -> None:
    path, reader = tmp_path / "gate.json", Memory(tmp_path / "gate.json", CameraOptions(source="rtsp://cam/1"))
    reader.save({"view": ""})
    spawned = get_context("spawn")
    writers = [spawned.Process(target=_save_often, args=(path, view)) for view in ("old", "newer")]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        assert reader.load() is not None
    assert [writer.exitcode for writer in writers] == [0, 0]
    assert (reader.load() or {})["view"] in ("old" * 20_000, "newer" * 20_000) and list(tmp_path.iterdir()) == [path]


async def test_a_view_accepted_during_a_swap_is_the_new_workers_too(tmp_path: Path) -> None:
    saved = {"view": {"references": {}, "moved": True}}
    driver = camera(state=tmp_path)
    Memory(tmp_path / "gate.json", driver._options).save(saved)
    async with connected(driver) as session, asyncio.timeout(15):
        await read_until(session, lambda facts: facts["gate.moved"].value is True)
        swap = asyncio.create_task(driver.swap(bundle(tmp_path / "new")))
        while driver._next is None:
            await session.read()
        driver.accept()
        while not swap.done():
            await session.read()
        await swap
        facts = await read_until(session, sees)
        assert facts["gate.moved"].value is False
    assert json.loads((tmp_path / "gate.json").read_text())["saved"]["view"]["moved"] is False


async def _read(session: object) -> None:
    async with asyncio.timeout(10):
        for _ in range(12):
            await session.read()  # type: ignore[attr-defined]
