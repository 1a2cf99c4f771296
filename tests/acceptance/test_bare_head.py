"""The real daemon and a worker that is killed while somebody is bare: the alarm stands, whatever is seen afterwards."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from benchmarks.plant import FOOTAGE, Plant, Press, children_of, running
from models.options import BUNDLED
from tests.models.mjpeg import MjpegCamera

pytestmark = [pytest.mark.server, pytest.mark.slow]
RULES = """
  - {id: bare, kind: condition, inputs: {bare: gate.no_helmet}, when: bare >= 1, priority: P4, name: Bare}
"""
CLEAR, TOO_SMALL = 150, 60
"""Heights in pixels of a person whose head can be judged, and of one whose head cannot."""


def pictures(tall: int) -> list[bytes]:
    """Return some of a bareheaded person so tall, or with 0 of nobody, each with a sensor's noise."""
    person = np.asarray(cv2.imread(str(BUNDLED / "ppe/golden/bare.jpg")), np.uint8)[360:590, 240:440]
    shown = np.full((384, 640, 3), 110, np.int16)
    if tall:
        small = cv2.resize(person, None, fx=tall / 185, fy=tall / 185, interpolation=cv2.INTER_AREA)
        shown[120 : 120 + small.shape[0], 200 : 200 + small.shape[1]] = small
    noise = np.random.default_rng(1)
    noisy = [np.clip(shown + noise.integers(-6, 7, shown.shape), 0, 255).astype(np.uint8) for _ in range(10)]
    return [bytes(cv2.imencode(".jpg", each)[1]) for each in noisy]


async def until(plant: Plant, enough: Callable[[dict[str, Any]], bool], limit_s: float = 60.0) -> None:
    """Wait until ``gate.no_helmet`` is as it should be."""
    async with asyncio.timeout(limit_s):
        while not enough(next(row for row in await plant.ask("points") if row["id"] == "gate.no_helmet")):
            await asyncio.sleep(0.05)


async def actions(plant: Plant) -> list[str]:
    """Return what became of the alarm; each event says which model judged."""
    found = await plant.ask("events?limit=1000")
    told = [event for event in found if (event["type"], event["subject"]) == ("anshao.alarm.transition.v1", "bare")]
    assert all(event["data"]["inputs"][0]["evidence"].startswith("model:ppe/") for event in told)
    return [event["data"]["action"] for event in told]


async def test_an_alarm_stands_while_the_worker_is_killed_and_the_head_cannot_be_judged(
    tmp_path: Path, press: Press
) -> None:
    gate = MjpegCamera(FOOTAGE)
    gate.pictures = pictures(CLEAR)
    source = (json.dumps(str(FOOTAGE)), json.dumps(gate.url))
    async with running(tmp_path, press=press, camera=True, more_rules=RULES, replace=source) as plant:
        await until(plant, lambda row: row["value"] == 1)
        gate.pictures = pictures(TOO_SMALL)
        (worker,) = children_of(plant.agent.pid, "models.worker")
        os.kill(worker, signal.SIGKILL)
        await until(plant, lambda row: row["value"] is None)
        await until(plant, lambda row: (row["value"], row["quality"]) == (0, "uncertain"))
        await asyncio.sleep(1.0)
        assert await actions(plant) == ["raised"]
        gate.pictures = pictures(CLEAR)
        await until(plant, lambda row: row["value"] == 1)
        assert await actions(plant) == ["raised"]
        gate.pictures = pictures(0)
        await until(plant, lambda row: (row["value"], row["quality"]) == (0, "good"))
        assert await actions(plant) == ["raised", "returned"], "it clears once it is seen that nobody is there"
    gate.shutdown()
