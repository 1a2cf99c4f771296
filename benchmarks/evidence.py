"""What evidence costs a camera's worker: the ring at each picture, and an alarm once."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from benchmarks.row import Row, row
from models.clip import write_clip
from models.detection import Box, Detection
from models.privacy import faces, pixelate
from models.ring import PICTURES_PER_S, Picture, Ring, blurred

YARD = Path(__file__).parents[1] / "agent/demo/footage/yard.mp4"
PEOPLE = [Detection(Box(80.0 * index, 100, 80.0 * index + 40, 220), 0.9) for index in range(6)]
SPAN_S = 15.0


def rows() -> list[Row]:
    """Measure on the demo's footage with six people in each picture; CPU time."""
    cv2.setNumThreads(1)  # as the worker does
    pictures = _pictures(int(SPAN_S * PICTURES_PER_S))
    ring, zones = Ring(2 * SPAN_S), list(faces(PEOPLE))
    put_s = _cpu_s(lambda: _fill(ring, pictures, zones))
    hide_s = _cpu_s(lambda: [pixelate(each, zones) for each in pictures])
    stills = ring.stills()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "clip.mp4"
        clip_s = _cpu_s(lambda: write_clip(path, (blurred(each, stills) for each in stills), PICTURES_PER_S))
        size_mb = path.stat().st_size / 1e6
    share = 100 * PICTURES_PER_S / len(pictures)
    return [
        row("evidence: the ring's CPU at 5 pictures/s", put_s * share, "% of a core", most=2),
        row("evidence: pixelating at 5 pictures/s", hide_s * share, "% of a core", most=2),
        row("evidence: the ring's memory for 15 s", sum(len(each.jpeg) for each in stills) / 1e6, "MB", most=16),
        row("evidence: a clip of 15 s, CPU", clip_s, "s", most=2),
        row("evidence: a clip of 15 s", size_mb, "MB"),
    ]


def _fill(ring: Ring, pictures: list[Picture], zones: list[Box]) -> None:
    for index, picture in enumerate(pictures):
        ring.put(picture, index / PICTURES_PER_S, index / PICTURES_PER_S, zones, None)


def _pictures(count: int) -> list[Picture]:
    capture = cv2.VideoCapture(str(YARD))
    found: list[Picture] = []
    while len(found) < count:
        there, picture = capture.read()
        if not there:
            capture.set(cv2.CAP_PROP_POS_FRAMES, 0)
            continue
        found.append(np.asarray(picture, np.uint8))
    return found


def _cpu_s(work: Callable[[], object]) -> float:
    began_s = time.process_time()
    work()
    return time.process_time() - began_s
