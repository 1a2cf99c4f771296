"""One camera at 5 pictures per second on the demo's footage: what it costs, and what of that is the networks alone."""

from __future__ import annotations

import asyncio
import os
import statistics
import time
from typing import Any

os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import cv2
import numpy as np
import psutil

from benchmarks.row import Row, row
from benchmarks.watching import YARD, camera_at, cpu_s, watch
from models.bundle import load_bundle
from models.inference import Picture, Vision, open_session
from models.options import BUNDLED, CameraOptions
from models.scene import Scene
from models.session import CameraSession

FPS, WARM_UP_S, SECONDS = 5.0, 3.0, 15.0
PICTURES = 40
MOST_RATIO = 1.1


def rows() -> list[Row]:
    """Measure the worker process, then the pipeline in this process."""
    return [*asyncio.run(_worker()), _pipeline()]


async def _worker() -> list[Row]:
    began_s = time.monotonic()
    session = await watch(camera_at(YARD, fps=FPS))
    ready_s = time.monotonic() - began_s
    try:
        await _read(session, WARM_UP_S)
        before_s, began_s = cpu_s(session), time.monotonic()
        judged = await _read(session, SECONDS)
        passed_s = time.monotonic() - began_s
        percent = 100 * (cpu_s(session) - before_s) / passed_s
        rss_mb = psutil.Process(session.pid).memory_info().rss / 1e6
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


def _pipeline() -> Row:
    """Compare letterbox, decode, crops, tracking and votes with running the same networks on ready tensors.

    Each picture is worked on in both ways in turn, so that whatever else the machine does costs both the same.
    """
    cv2.setNumThreads(1)
    bundle = load_bundle(BUNDLED / "ppe")
    vision = Vision(bundle)
    scene = Scene(CameraOptions(source=str(YARD)).watched, vision.sure)
    manifest = bundle.manifest
    judge = manifest.classifier
    assert judge is not None
    detector = open_session(str(bundle.path(manifest.detector.file)))
    classifier = open_session(str(bundle.path(judge.file)))
    frame, crop = _noise(manifest.detector.height, manifest.detector.width), _noise(judge.height, judge.width)

    def bare(crops: int) -> None:
        detector.run(None, {"images": frame})
        for _ in range(crops):
            classifier.run(["prob"], {"crops": crop})

    spent: list[tuple[float, float]] = []
    for number, picture in enumerate(_pictures()):
        began_s = time.thread_time()
        found = vision.look(picture)
        scene.judge(found, picture.shape[1], picture.shape[0], number / FPS)
        between_s = time.thread_time()
        bare(sum(it.box.height >= judge.least_height for it in found))
        spent.append((between_s - began_s, time.thread_time() - between_s))
    value, baseline = (1000 * statistics.median(column) for column in zip(*spent, strict=True))
    ratio = statistics.median(whole / alone for whole, alone in spent)
    return Row(
        name="vision: whole pipeline per picture of 640x360",
        value=round(value, 2),
        unit="CPU ms",
        goal=f"<= {MOST_RATIO:g} x networks alone",
        baseline=round(baseline, 2),
        ratio=round(ratio, 3),
        met=ratio <= MOST_RATIO,
    )


def _noise(height: int, width: int) -> Any:
    return np.random.default_rng(1).random((1, 3, height, width), np.float32) * 255


def _pictures() -> list[Picture]:
    capture = cv2.VideoCapture(str(YARD))
    return [np.asarray(cv2.resize(capture.read()[1], (640, 360)), np.uint8) for _ in range(PICTURES)]
