"""The shipped detector in full precision and in INT8: what a look takes on this machine, and what both see alike."""

from __future__ import annotations

import asyncio
import os
import statistics
import time

os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import cv2
import numpy as np

from benchmarks.row import Row, ratio_row, row
from models.bundle import load_bundle
from models.engines import SAFE, Engine
from models.opening import open_session
from models.options import BUNDLED
from models.rehearsal import LIMIT_S, rehearse

RUNS = 30
INT8 = Engine(precision="int8")


def rows() -> list[Row]:
    """Measure the bare network in turn, then rehearse the bundle as a gateway does."""
    cv2.setNumThreads(1)
    full_ms, small_ms = _bare()
    began_s = time.monotonic()
    done = asyncio.run(rehearse(BUNDLED / "ppe"))
    took_s = time.monotonic() - began_s
    tried = {each.engine: each for each in done.tried}
    return [
        ratio_row("engines: detector alone in INT8", small_ms, "CPU ms", full_ms),
        ratio_row("engines: a look in INT8", tried[INT8].look_ms, "CPU ms", tried[SAFE].look_ms),
        row("engines: INT8 sees alike", 100 * tried[INT8].alike, "%", least=95),
        row("engines: rehearsal", took_s, "s", most=LIMIT_S),
    ]


def _bare() -> tuple[float, float]:
    """Return the median of one run in full precision and in INT8, in ms of the processor, measured in turn."""
    bundle = load_bundle(BUNDLED / "ppe")
    spec = bundle.manifest.detector
    batch = np.random.default_rng(1).random((1, 3, spec.height, spec.width), np.float32) * 255
    files = [spec.in_precision(engine.precision).file for engine in (SAFE, INT8)]
    sessions = [open_session(str(bundle.path(file))) for file in files]
    spent: list[list[float]] = [[], []]
    for _ in range(RUNS):
        for session, times in zip(sessions, spent, strict=True):
            began_s = time.process_time()
            session.run(None, {"images": batch})
            times.append(1000 * (time.process_time() - began_s))
    full, small = (statistics.median(times) for times in spent)
    return full, small
