"""The real daemon, camera, journal and broker: evidence reaches the centre, and kill -9 in between loses no event."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from benchmarks.plant import Plant, Press, running

pytestmark = [pytest.mark.server, pytest.mark.slow]
RULES = """
  - {id: bare, kind: condition, inputs: {bare: gate.no_helmet}, when: bare > 0, priority: P4, name: Bare}
"""
LATE_MS = 250.0
SHORT = ("    model: ppe\n", "    model: ppe\n    clip_before: 1s\n    clip_after: 6s\n")


async def events(plant: Plant, kind: str) -> list[dict[str, Any]]:
    found = await plant.ask("events?limit=1000")
    return [
        event for event in found if event["type"] == f"anshao.{kind}.v1" and event["subject"] in ("bare", "evidence")
    ]


async def until(plant: Plant, kind: str, count: int, limit_s: float = 20.0) -> list[dict[str, Any]]:
    async with asyncio.timeout(limit_s):
        while len(found := await events(plant, kind)) < count:
            await asyncio.sleep(0.02)
    return found


async def arrived(plant: Plant, limit_s: float = 20.0) -> None:
    """Wait until the centre has every event of the journal, files included."""
    async with asyncio.timeout(limit_s):
        while not {event["id"] for event in await plant.ask("events?limit=1000")} <= plant.centre.snapshot().ids:
            await asyncio.sleep(0.05)
    assert plant.centre.snapshot().disorder() == []


async def test_evidence_follows_its_alarm_and_a_kill_in_between_is_told(tmp_path: Path, press: Press) -> None:
    async with running(tmp_path, press=press, camera=True, more_rules=RULES, replace=SHORT) as plant:
        (raised,) = await until(plant, "alarm.transition", 1)
        await until(plant, "evidence", 1)
        for _ in range(3):
            await plant.pulse()
        assert max(plant.latencies_ms) < LATE_MS, "evidence delays no siren"
        os.kill(plant.agent.pid, signal.SIGKILL)  # the pictures are kept, the clip's time is not over
        await plant.agent.stop()
        await plant.agent.start()
        await plant.until_up()
        (loss,) = await until(plant, "loss", 1)
        assert "clip" in loss["data"]["kinds"] and loss["data"]["occurrence_id"] == raised["data"]["occurrence_id"]
        told = {event["data"]["kind"]: event["data"] for event in await until(plant, "evidence", 1)}
        assert told.keys() | set(loss["data"]["kinds"]) >= {"snapshot", "annotated", "clip"}
        assert told["snapshot"]["sha256"] and told["snapshot"]["blurred"] is True
        assert [each for each in await plant.ask("evidence/verify") if each["fault"]] == []
        await arrived(plant)
