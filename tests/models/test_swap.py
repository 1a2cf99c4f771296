"""A camera goes on with another model: nobody is forgotten, and no second is missed."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path

import pytest

from agent.core.errors import Refused
from agent.core.model import Quality
from models.detection import Box, Detection, Wearing
from models.handover import plain, tracks_of
from models.scene import Scene
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
    assert plain(tracks_of(before.hand_over())) == before.hand_over()


async def test_no_second_is_missed_and_the_old_worker_goes(tmp_path: Path) -> None:
    driver = camera()
    new = bundle(tmp_path / "new")
    async with connected(driver) as session:
        await read_until(session, lambda facts: sees(facts) and bool(facts["gate.persons"].value))
        old_pid, gaps, last_s = session.pid, [], time.monotonic()
        swap = asyncio.create_task(driver.swap(new))
        while not swap.done():
            for sample in await session.read():
                assert sample.quality is Quality.GOOD
                if sample.point == "gate.no_helmet":
                    gaps.append(time.monotonic() - last_s)
                    last_s = time.monotonic()
        await swap
        await read_until(session, sees)
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


async def _read(session: object) -> None:
    async with asyncio.timeout(10):
        for _ in range(12):
            await session.read()  # type: ignore[attr-defined]
