"""The real daemon on the demo's plant, broken on purpose."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmarks.plant import Plant, Press, children_of, running

pytestmark = [pytest.mark.server, pytest.mark.slow]

STANDING = """
  - {id: oxygen, kind: level, input: boiler.oxygen, name: Oxygen, limits: {L: {at: 5, priority: P3}}}
  - {id: feedwater, kind: level, input: boiler.feedwater_temperature, name: Feed, limits: {H: {at: 90, priority: P2}}}
"""
LATE_MS = 250.0
"""A siren later than this on a busy test machine means that something stood in its way; figures: make bench."""


async def states(plant: Plant) -> dict[str, str]:
    return {row["id"]: row["state"] for row in await plant.ask("alarms?all=1")}


async def until_state(plant: Plant, alarm: str, state: str, limit_s: float = 10.0) -> None:
    async with asyncio.timeout(limit_s):
        while (await states(plant))[alarm] != state:
            await asyncio.sleep(0.05)


async def until(condition: Callable[[], bool], limit_s: float = 10.0) -> None:
    async with asyncio.timeout(limit_s):
        while not condition():
            await asyncio.sleep(0.05)


async def test_kill_dash_nine_keeps_alarms_acknowledgements_and_events(tmp_path: Path, press: Press) -> None:
    async with running(tmp_path, press=press, camera=False, more_rules=STANDING) as plant:
        await until_state(plant, "feedwater.H", "unacknowledged")
        await until(lambda: plant.siren_on)
        await plant.ask("alarms/oxygen.L/acknowledge", operator="li", via="cli", note="known")
        for _ in range(3):
            os.kill(plant.agent.pid, signal.SIGKILL)
            await asyncio.sleep(0.3)
            assert plant.siren_on, "the siren must not fall silent because the agent died"
            await plant.agent.stop()
            await plant.agent.start()
            await plant.until_up()
            found = {row["id"]: row for row in await plant.ask("alarms")}
            assert found["oxygen.L"]["state"] == "acknowledged" and found["oxygen.L"]["acknowledged_by"] == "li"
            assert found["feedwater.H"]["state"] == "unacknowledged" and found["feedwater.H"]["count"] == 1
        await until(lambda: plant.siren_on)
        await drained(plant)
        await arrived(plant)
        assert plant.centre.snapshot().disorder() == []


async def test_a_dead_plc_or_broker_delays_no_siren(tmp_path: Path, press: Press) -> None:
    async with running(tmp_path, press=press, camera=False) as plant:
        plant.press.freeze()
        os.kill(plant.broker.child.pid, signal.SIGKILL)
        for _ in range(5):  # after 3 s the beacon that does not follow sounds the siren, too
            await plant.pulse()
        assert max(plant.latencies_ms) < LATE_MS
        await until_state(plant, "press.comms", "unacknowledged")
        await until_state(plant, "beacon_red.failed", "unacknowledged")
        status = await plant.ask("status")
        assert [device["state"] for device in status["devices"]] == ["online", "offline"]
        assert status["uplink"]["state"] == "offline" and sum(status["journal"]["pending"].values()) > 0
        plant.press.thaw()
        await until_state(plant, "press.comms", "returned-unacknowledged")
        await plant.broker.start()
        await drained(plant)


async def test_a_hung_or_killed_vision_worker_is_a_blind_camera_and_delays_no_siren(
    tmp_path: Path, press: Press
) -> None:
    async with running(tmp_path, press=press, camera=True) as plant:
        for number in (signal.SIGSTOP, signal.SIGKILL):
            await until_camera(plant, "online")
            for pid in children_of(plant.agent.pid, "models.worker"):
                os.kill(pid, number)
            plant.latencies_ms.clear()
            for _ in range(8):
                await plant.pulse()
            assert max(plant.latencies_ms) < LATE_MS
            await until_lost(plant, "gate", times=1 if number == signal.SIGSTOP else 2)
        await until_camera(plant, "online", limit_s=40.0)


async def test_a_camera_without_a_worker_is_unknown_not_empty(tmp_path: Path, press: Press) -> None:
    async with running(tmp_path, press=press, camera=True) as plant:
        await until_camera(plant, "online")
        (worker,) = children_of(plant.agent.pid, "models.worker")
        os.kill(worker, signal.SIGSTOP)
        await until_camera(plant, "offline")
        persons = next(row for row in await plant.ask("points") if row["id"] == "gate.persons")
        assert persons["value"] is None and persons["quality"] == "bad", "blind is not safe"


async def test_stopping_leaves_the_outputs_as_the_site_wants(tmp_path: Path, press: Press) -> None:
    async with running(tmp_path, press=press, camera=False) as plant:
        plant.boiler.send("set", point="emergency_button", value=1)
        await until(lambda: plant.siren_on)
        started_s = time.monotonic()
        await plant.agent.stop()
        assert not plant.siren_on, "on_stop: off"
        assert time.monotonic() - started_s < 5.0


async def test_a_disk_that_cannot_be_written_delays_no_siren_and_is_an_alarm(tmp_path: Path, press: Press) -> None:
    (tmp_path / "state").write_text("a file where the journal's folder should be")
    async with running(tmp_path, press=press, camera=False) as plant:
        for _ in range(5):
            await plant.pulse()
        assert max(plant.latencies_ms) < LATE_MS
        await until_state(plant, "gateway.journal", "unacknowledged", limit_s=15.0)
        (tmp_path / "state").unlink()
        await until_state(plant, "gateway.journal", "returned-unacknowledged", limit_s=15.0)
        await drained(plant)
        assert plant.centre.snapshot().disorder() == []


async def until_lost(plant: Plant, device: str, times: int, limit_s: float = 30.0) -> None:
    """Wait until the journal tells that a device was lost so many times; it may be back long since."""
    async with asyncio.timeout(limit_s):
        while True:
            events = [event for event in await plant.ask("events?limit=1000") if event["subject"] == device]
            if sum(event["data"].get("online") is False for event in events) >= times:
                return
            await asyncio.sleep(0.1)


async def until_camera(plant: Plant, state: str, limit_s: float = 30.0) -> None:
    async with asyncio.timeout(limit_s):
        while [camera["state"] for camera in (await plant.ask("status"))["cameras"]] != [state]:
            await asyncio.sleep(0.05)


async def arrived(plant: Plant, limit_s: float = 10.0) -> None:
    """Wait until the centre has whatever the journal has; what happened a moment ago is still on its way."""
    async with asyncio.timeout(limit_s):
        while not {event["id"] for event in await plant.ask("events?limit=1000")} <= plant.centre.snapshot().ids:
            await asyncio.sleep(0.1)


async def drained(plant: Plant, limit_s: float = 30.0) -> None:
    async with asyncio.timeout(limit_s):
        while True:
            status: dict[str, Any] = await plant.ask("status")
            waiting = sum(status["journal"]["pending"].values())
            if not waiting and len(plant.centre.snapshot().ids) >= status["journal"]["events"] > 0:
                return
            await asyncio.sleep(0.1)


async def test_a_point_that_is_lost_on_a_device_that_answers_is_an_alarm(tmp_path: Path, press: Press) -> None:
    site = "      flame:                {address: 10004}"
    async with running(
        tmp_path, press=press, camera=False, replace=(site, site + "\n      nowhere: {address: 49000}")
    ) as plant:
        await until_state(plant, "boiler.data", "unacknowledged")
        status = await plant.ask("status")
        device = status["devices"][0]
        assert (device["state"], device["bad_points"]) == ("online", 1)
        assert device["reason"].startswith("boiler.nowhere: ")
