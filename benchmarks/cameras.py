"""Four cameras of 640x360 at 5 pictures per second with PPE on: what their workers cost, with a gate and without.

Each plays a clip of its own: a quarter of the time people walk through a yard, then it lies empty, with a sensor's
noise. ``CLIPS=folder`` takes the clips of that folder instead, as they are.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from collections.abc import Mapping, Sequence
from itertools import cycle, islice
from pathlib import Path

import cv2
import numpy as np

from benchmarks.row import Row, row
from benchmarks.watching import FOOTAGE, camera_at, cpu_s, watch
from models.gate import CHANGED, Picture, cells_of
from models.session import CameraSession

CAMERAS, FPS, CLIP_FPS = 4, 5.0, 10
WALKING_S, EMPTY_S = 8, 24
WARM_UP_S = SECONDS = float(WALKING_S + EMPTY_S)
"""One whole loop before what is measured: by then the gate has learnt what in doubt is a part of the place (10 s of
looks, once), as on any day but for the first minute."""
SIZE = (640, 360)
GOAL = 60.0
SURE = 0.6
"""In the empty yard the first model suspects somebody at .43, which is doubt and keeps the gate open; not with this."""


def rows() -> list[Row]:
    """Measure without the gate, then with it; the figures are per picture, brought to 5 a second."""
    with tempfile.TemporaryDirectory() as folder:
        clips = _given() or _made(Path(folder))
        moving = [moving_share(clip) for clip in clips]
        plain, pace, _ = asyncio.run(_measure(clips, {"gate": "off"}))
        gated, gated_pace, share = asyncio.run(_measure(clips, {"gate": "auto"}))
        sure, _, sure_share = asyncio.run(_measure(clips, {"gate": "auto", "person_threshold": SURE}))
    return [
        row("cameras: time in which something moves, in the clips", 100 * float(np.mean(moving)), "%"),
        row("cameras: CPU of 4 workers without a gate", plain, "% of a core"),
        row("cameras: pictures judged by the slowest without a gate", pace, "1/s", least=0.95 * FPS),
        row("cameras: CPU of 4 workers with the gate", gated, "% of a core", most=GOAL),
        row("cameras: pictures judged by the slowest with the gate", gated_pace, "1/s", least=0.95 * FPS),
        row("cameras: pictures that the gate kept from the model", 100 * share, "%"),
        row(f"cameras: CPU with the gate, persons believed from {SURE:g}", sure, "% of a core"),
        row(f"cameras: pictures kept from the model, persons believed from {SURE:g}", 100 * sure_share, "%"),
    ]


def moving_share(clip: Path) -> float:
    """Return in how many pictures, 5 a second, something moved since the one before, by the gate's own measure."""
    capture = cv2.VideoCapture(str(clip))
    step, changed, before, number = max(1, round(capture.get(cv2.CAP_PROP_FPS) / FPS)), list[bool](), None, 0
    while True:
        there, picture = capture.read()
        if not there:
            return sum(changed) / max(len(changed), 1)
        if number % step == 0:
            cells = cells_of(np.asarray(picture, np.uint8))
            changed += [bool(cv2.absdiff(cells, before).max() >= CHANGED)] if before is not None else []
            before = cells
        number += 1


async def _measure(clips: Sequence[Path], more: Mapping[str, object]) -> tuple[float, float, float]:
    """Return the workers' CPU in % of a core at 5 pictures a second, the slowest one's pace, and the share gated."""
    sessions = [await watch(camera_at(clip, fps=FPS, **more)) for clip in islice(cycle(clips), CAMERAS)]
    try:
        await asyncio.gather(*(_read(session, WARM_UP_S) for session in sessions))
        before_s, began_s = sum(map(cpu_s, sessions)), time.monotonic()
        counts = await asyncio.gather(*(_read(session, SECONDS) for session in sessions))
        spent_s, passed_s = sum(map(cpu_s, sessions)) - before_s, time.monotonic() - began_s
    finally:
        for session in sessions:
            await session.close()
    judged, gated = (sum(count[kind] for count in counts) for kind in (0, 1))
    slowest = min(count for count, _ in counts)
    return 100 * spent_s / judged * CAMERAS * FPS, slowest / passed_s, gated / judged


async def _read(session: CameraSession, seconds: float) -> tuple[int, int]:
    """Return how many pictures were judged meanwhile, and how many of them the gate kept back."""
    until_s = time.monotonic() + seconds
    counts: list[tuple[int, int]] = []
    while time.monotonic() < until_s:
        facts = {sample.point: sample.value for sample in await session.read()}
        if facts:
            gated = int(facts["gate.gated"] or 0)
            counts.append((int(facts["gate.inferred"] or 0) + gated, gated))
    return counts[-1][0] - counts[0][0], counts[-1][1] - counts[0][1]


def _given() -> list[Path]:
    folder = os.environ.get("CLIPS")
    return sorted(path for path in Path(folder).iterdir() if path.suffix in (".mp4", ".avi", ".gif")) if folder else []


def _made(folder: Path) -> list[Path]:
    """Write a clip for each camera; each begins at another place of the same loop."""
    walking, empty = (_pictures(FOOTAGE / name) for name in ("yard.mp4", "empty.mp4"))
    loop = walking[: WALKING_S * CLIP_FPS] + list(islice(cycle(empty), EMPTY_S * CLIP_FPS))
    clips = [folder / f"{number}.mp4" for number in range(CAMERAS)]
    for number, clip in enumerate(clips):
        first = number * len(loop) // CAMERAS
        writer = cv2.VideoWriter(str(clip), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*"mp4v"), CLIP_FPS, SIZE)
        for picture in (*loop[first:], *loop[:first]):
            writer.write(picture)
        writer.release()
    return clips


def _pictures(clip: Path) -> list[Picture]:
    capture, found = cv2.VideoCapture(str(clip)), list[Picture]()
    while True:
        there, picture = capture.read()
        if not there:
            return found
        found.append(np.asarray(cv2.resize(picture, SIZE), np.uint8))
