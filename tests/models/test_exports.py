"""Decoding agrees with the exporting library's own answer on the same weights: boxes to a pixel, classes exactly.

``exports/make.py`` recorded the answers; it says with which versions.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.bundle import DetectorSpec
from models.feeding import fit
from models.finding import decode
from models.layouts.base import Raw

FOLDER = Path(__file__).parent / "exports"
ANSWERS: dict[str, dict[str, Any]] = json.loads((FOLDER / "answers.json").read_text())
NAMES = ("person", "helmet", "no_helmet", "vest", "no_vest", "forklift")
SIZE = 320
CELLS = 2100


def spec(answer: dict[str, Any], layout: str = "") -> DetectorSpec:
    layout = layout or answer["layout"]
    stretched = layout.startswith("detr")
    return DetectorSpec.model_validate(
        {
            "file": "x.onnx",
            "layout": layout,
            "width": SIZE,
            "height": SIZE,
            "classes": NAMES,
            "fit": "stretch" if stretched else "centre",
            "colour": "rgb",
            "divisor": 255,
            "sure": answer["conf"],
            "doubtful": answer["conf"],
            "nms_iou": 0.5,
        }
    )


def output_of(name: str) -> Any:
    """Return the recorded output, with rows of nothing where rows were left out."""
    rows = np.load(FOLDER / f"{name}.npz")["output"]
    shape = ANSWERS[name]["outputs"][0]
    whole = np.zeros(shape, np.float32)
    whole[tuple(slice(0, size) for size in rows.shape)] = rows
    return whole


def in_picture(raw: Raw, answer: dict[str, Any], asked: DetectorSpec) -> Any:
    height, width = answer["picture"]
    boxes = fit(np.zeros((height, width, 3), np.uint8), asked).back(raw.boxes)
    return np.clip(boxes, 0, [width, height, width, height])


@pytest.mark.parametrize("name", sorted(ANSWERS))
def test_boxes_agree_to_a_pixel_and_classes_exactly(name: str) -> None:
    answer = ANSWERS[name]
    asked = spec(answer)
    raw = decode([output_of(name)], asked, asked.meanings)
    boxes = in_picture(raw, answer, asked)
    assert len(boxes) == len(answer["boxes"]) > 5
    left = list(range(len(boxes)))
    height, width = answer["picture"]
    theirs = np.clip(answer["boxes"], 0, [width, height, width, height])  # of one family they leave boxes unclipped
    for box, score, label in zip(theirs, answer["scores"], answer["classes"], strict=True):
        off = [np.abs(boxes[row] - box).max() + 1e3 * (int(raw.classes[row]) != label) for row in left]
        best = int(np.argmin(off))
        assert off[best] <= 1.0
        assert abs(float(raw.scores[left[best]]) - score) < 1e-3
        left.pop(best)


def test_every_family_was_recorded() -> None:
    assert {
        "yolov5nu",
        "yolov8n",
        "yolov10n",
        "yolov10n-e2e",
        "yolo11n",
        "yolo12n",
        "yolo26n",
        "yolo26n-e2e",
        "rtdetr",
    } <= (ANSWERS.keys())
