"""One camera at 5 pictures per second on the demo's footage: what it costs, and what of that is the networks alone."""

from __future__ import annotations

import asyncio
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import cv2
import numpy as np
import psutil

from agent.core.clock import SystemClock
from benchmarks.row import Row, row
from models import CAMERA
from models.bundle import load_bundle
from models.inference import Picture, Vision, open_session
from models.options import BUNDLED, CameraOptions
from models.scene import Scene
from models.session import CameraSession

YARD = Path(__file__).parents[1] / "agent/demo/footage/yard.mp4"
FPS, WARM_UP_S, SECONDS = 5.0, 3.0, 15.0
PICTURES = 40


def rows() -> list[Row]:
    """Measure the worker process, then the pipeline in this process."""
    return [*asyncio.run(_worker()), _pipeline()]


async def _worker() -> list[Row]:
    options = CAMERA.device.model_validate({"source": str(YARD), "fps": FPS})
    began_s = time.monotonic()
    session = await CAMERA.build("gate", options, {}, SystemClock()).connect()
    assert isinstance(session, CameraSession)
    ready_s = time.monotonic() - began_s
    try:
        process = psutil.Process(session.pid)
        await _read(session, WARM_UP_S)
        before_s, began_s = _cpu_s(process), time.monotonic()
        judged = await _read(session, SECONDS)
        passed_s = time.monotonic() - began_s
        percent = 100 * (_cpu_s(process) - before_s) / passed_s
        rss_mb = process.memory_info().rss / 1e6
    finally:
        await session.close()
    return [
        row("vision: worker's CPU at 5 pictures/s", percent, "% of a core", most=40),
        row("vision: pictures judged", judged / passed_s, "1/s", least=0.95 * FPS),
        row("vision: worker ready", ready_s, "s"),
        row("vision: worker's memory", rss_mb, "MB"),
    ]


async def _read(session: CameraSession, seconds: float) -> int:
    until_s = time.monotonic() + seconds
    judged = 0
    while time.monotonic() < until_s:
        judged += any(sample.point == "gate.persons" and sample.value is not None for sample in await session.read())
    return judged


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _pipeline() -> Row:
    """Compare letterbox, decode, crops, tracking and votes with running the same networks on ready tensors."""
    cv2.setNumThreads(1)
    bundle = load_bundle(BUNDLED / "ppe")
    vision = Vision(bundle)
    pictures = _pictures()
    scene = Scene(CameraOptions(source=str(YARD)).watched, vision.sure)
    crops: list[int] = []
    manifest = bundle.manifest
    judge = manifest.classifier
    assert judge is not None

    def whole(number: int) -> None:
        picture = pictures[number]
        found = vision.look(picture)
        crops.append(sum(it.box.height >= judge.least_height for it in found))
        scene.judge(found, picture.shape[1], picture.shape[0], number / FPS)

    def bare(number: int) -> None:
        detector.run(None, {"images": frame})
        for _ in range(crops[number]):
            classifier.run(["prob"], {"crops": crop})

    detector = open_session(str(bundle.path(manifest.detector.file)))
    classifier = open_session(str(bundle.path(judge.file)))
    frame = _noise(manifest.detector.height, manifest.detector.width)
    crop = _noise(judge.height, judge.width)
    value, baseline = _median_ms(whole), _median_ms(bare)
    ratio = value / baseline
    return Row(
        name="vision: whole pipeline per picture",
        value=round(value, 2),
        unit="CPU ms",
        goal="<= 1.25 x networks alone",
        baseline=round(baseline, 2),
        ratio=round(ratio, 3),
        met=ratio <= 1.25,
    )


def _median_ms(work: Callable[[int], None]) -> float:
    spent: list[float] = []
    for number in range(PICTURES):
        began_s = time.process_time()
        work(number)
        spent.append(1000 * (time.process_time() - began_s))
    return statistics.median(spent)


def _noise(height: int, width: int) -> Any:
    return np.random.default_rng(1).random((1, 3, height, width), np.float32) * 255


def _pictures() -> list[Picture]:
    capture = cv2.VideoCapture(str(YARD))
    return [np.asarray(capture.read()[1], np.uint8) for _ in range(PICTURES)]
