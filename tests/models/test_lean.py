"""The shipped networks answer as those of 1.0.0 did, whose graphs they had before models/training/lean.py."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from models.bundle import load_bundle
from models.feeding import Array, fit, tensor
from models.inference import Picture
from models.opening import open_session
from models.options import BUNDLED

BUNDLE = load_bundle(BUNDLED / "ppe")
MOST_APART = 0.01
"""Pixels of the input, or score."""
TOLD: dict[str, dict[str, Any]] = json.loads(Path(__file__).with_name("lean.json").read_text())
"""Of each golden picture: the 20 surest candidates' boxes and scores by row, and what the classifier says of it all."""


def picture_of(name: str) -> Picture:
    picture = cv2.imread(str(BUNDLE.path(name)))
    assert picture is not None
    return np.asarray(picture, np.uint8)


def answer(file: str, name: str, batch: Array) -> Array:
    session = open_session(str(BUNDLE.path(file)))
    return np.asarray(session.run([name], {session.get_inputs()[0].name: batch})[0][0])


@pytest.mark.parametrize("name", TOLD)
def test_the_networks_answer_as_before(name: str) -> None:
    told, spec, judge = TOLD[name], BUNDLE.manifest.detector, BUNDLE.manifest.classifier
    assert judge is not None
    rows = answer(spec.file, "pred", tensor(fit(picture_of(name), spec).canvas, spec))
    before = np.array(list(told["rows"].values()))
    assert np.abs(rows[list(map(int, told["rows"]))] - before).max() < MOST_APART
    assert len(before) and (rows[:, 4] > before[:, 4].min() + MOST_APART).sum() <= len(before)  # nobody came up
    crop = tensor(fit(picture_of(name), judge, cv2.INTER_AREA).canvas, judge)
    assert np.abs(answer(judge.file, "prob", crop) - told["worn"]).max() < MOST_APART
