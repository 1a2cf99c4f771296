"""The demo's footage, judged at 5 pictures per second: people without helmets alarm, an empty yard does not."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from models.bundle import load_bundle
from models.inference import Vision
from models.options import BUNDLED, CameraOptions
from models.scene import Count, Scene
from tests.models.cameras import FOOTAGE, YARD


def judge(path: Path, limit: int = 60) -> list[Count]:
    """Return the counts of the whole picture, five per second of the clip."""
    vision = Vision(load_bundle(BUNDLED / "ppe"))
    scene = Scene(CameraOptions(source=str(path)).watched, vision.sure)
    capture = cv2.VideoCapture(str(path))
    step = round(capture.get(cv2.CAP_PROP_FPS) / 5)
    counts: list[Count] = []
    number = 0
    while len(counts) < limit:
        there, picture = capture.read()
        if not there:
            return counts
        if number % step == 0:
            height, width = picture.shape[:2]
            found = vision.look(np.asarray(picture, np.uint8))
            counts.append(scene.judge(found, width, height, number / 10).whole)
        number += 1
    return counts


def test_people_without_helmets_are_reported_without_a_break() -> None:
    counts = judge(YARD)
    assert len(counts) == 60
    assert all(min(count.missing.values()) >= 1 for count in counts[5:])
    assert min(count.persons for count in counts[5:]) >= 3


@pytest.mark.parametrize("clip", ["empty.mp4"])
def test_an_empty_yard_is_empty(clip: str) -> None:
    counts = judge(FOOTAGE / clip)
    assert len(counts) == 30 and not any(any(count.as_dict().values()) for count in counts)
