"""What it costs to tell whether a picture shows anything, and how soon a frozen or a lost one is noticed."""

from __future__ import annotations

import time

import cv2
import numpy as np

from benchmarks.row import Row, row
from models.trust.faults import PictureFault, effects_of
from models.trust.watch import TrustWatch

FPS = 5.0
MOST_SHARE_OF_A_CORE = 0.5


def rows() -> list[Row]:
    """Return the cost of one camera's watch, and the delay of `frozen` by its own clock."""
    noise = np.random.default_rng(1)
    still = cv2.GaussianBlur(noise.integers(0, 255, (360, 640, 3)).astype(np.uint8), (0, 0), 3)
    pictures = [np.clip(still + noise.normal(0, 2, still.shape), 0, 255).astype(np.uint8) for _ in range(20)]
    watch, now_s, count = TrustWatch(effects_of(False, {}), FPS), 0.0, 500
    began_s = time.process_time()
    for number in range(count):
        now_s += 1 / FPS
        watch.see(pictures[number % len(pictures)], now_s, True)
    used_s = time.process_time() - began_s
    share = 100 * used_s / count * FPS
    return [
        row("trust of one camera 640x360 at 5 fps", share, "% of a core", most=MOST_SHARE_OF_A_CORE),
        row("frozen picture to fault", _until_frozen(watch, pictures[0], now_s), "s", most=10.0),
    ]


def _until_frozen(watch: TrustWatch, picture: np.ndarray[tuple[int, ...], np.dtype[np.uint8]], now_s: float) -> float:
    began_s = now_s
    while PictureFault.FROZEN not in watch.see(picture, now_s, True):
        now_s += 1 / FPS
    return now_s - began_s
