"""Layouts whose library is not at hand, against their published formulas written out here; and how one is told."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest

from agent.core.errors import NotAllowed
from models.bundle import DetectorSpec, LayoutName
from models.feed import InputSpec
from models.feeding import fit, tensor
from models.finding import decode
from models.inspection import Inspection, Question, inspect
from models.layouts import LAYOUTS, Frame
from models.metadata import told_by
from models.resolution import TAKES
from models.running import ModelFault
from tests.models.networks import HALF, constant

SIZE = 64
NAMES = ("person", "helmet", "no_helmet")
CELLS = [(x, y, stride) for stride in (8, 16, 32) for y in range(SIZE // stride) for x in range(SIZE // stride)]
RNG = np.random.default_rng(3)


def spec(layout: str, **changes: Any) -> DetectorSpec:
    base = {"file": "x.onnx", "layout": layout, "width": SIZE, "height": SIZE, "classes": NAMES, "sure": 0.3}
    return DetectorSpec.model_validate({**base, "doubtful": 0.3, **changes})


def decoded(layout: str, *outputs: np.ndarray) -> list[tuple[list[float], float, int]]:
    """Boxes, scores and classes before doubles go, the surest first."""
    frame = Frame(SIZE, SIZE, len(NAMES), 0.3)
    assert LAYOUTS[layout].fits(outputs, frame)
    raw = LAYOUTS[layout].decode(outputs, frame)
    rows = zip(raw.boxes.tolist(), raw.scores.tolist(), raw.classes.tolist(), strict=True)
    return sorted(rows, key=lambda row: -row[1])


def agree(found: list[tuple[list[float], float, int]], expected: list[tuple[list[float], float, int]]) -> None:
    expected = sorted(expected, key=lambda row: -row[1])
    assert len(found) == len(expected) > 0
    for (box, score, label), (true_box, true_score, true_label) in zip(found, expected, strict=True):
        assert box == pytest.approx(true_box, abs=0.01) and score == pytest.approx(true_score, abs=1e-5)
        assert label == true_label


def shares(rows: int, columns: int) -> np.ndarray:
    return RNG.uniform(0.01, 0.99, (rows, columns)).astype(np.float32)


def test_every_layout_that_a_manifest_may_name_is_known() -> None:
    assert set(get_args(LayoutName)) == LAYOUTS.keys() == TAKES.keys()


def test_yolox_is_laid_on_its_grid() -> None:
    output = np.concatenate([RNG.normal(0, 1, (len(CELLS), 4)), shares(len(CELLS), 4)], axis=1).astype(np.float32)
    expected = []
    for row, (x, y, stride) in zip(output.astype(float), CELLS, strict=True):
        cx, cy = (row[0] + x) * stride, (row[1] + y) * stride
        w, h = math.exp(row[2]) * stride, math.exp(row[3]) * stride
        label = max(range(3), key=lambda number: row[5 + number])
        if row[4] * row[5 + label] >= 0.3:
            expected.append(([cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2], row[4] * row[5 + label], label))
    agree(decoded("yolox", output[None]), expected)


@pytest.mark.parametrize(("strides", "shift"), [((8, 16, 32), 0.5), ((8, 16, 32, 64), 0.0)])
def test_nanodet_takes_the_mean_of_each_distribution(strides: tuple[int, ...], shift: float) -> None:
    cells = [(x, y, s) for s in strides for y in range(SIZE // s) for x in range(SIZE // s)]
    output = np.concatenate([shares(len(cells), 3), RNG.normal(0, 2, (len(cells), 32))], axis=1).astype(np.float32)
    expected = []
    for row, (x, y, stride) in zip(output.astype(float), cells, strict=True):
        sides = []
        for side in range(4):
            bins = [math.exp(value) for value in row[3 + 8 * side : 11 + 8 * side]]
            sides.append(stride * sum(number * value for number, value in enumerate(bins)) / sum(bins))
        cx, cy = (x + shift) * stride, (y + shift) * stride
        box = [cx - sides[0], cy - sides[1], cx + sides[2], cy + sides[3]]
        label = max(range(3), key=lambda number: row[number])
        if row[label] >= 0.3:
            expected.append(([min(max(edge, 0), SIZE) for edge in box], row[label], label))
    agree(decoded("nanodet", output[None]), expected)


def test_yolo_v5_multiplies_by_its_objectness() -> None:
    count = 3 * len(CELLS)
    output = np.concatenate([RNG.uniform(4, 60, (count, 4)), shares(count, 4)], axis=1).astype(np.float32)
    expected = []
    for row in output.astype(float):
        label = max(range(3), key=lambda number: row[5 + number])
        score = row[4] * row[5 + label]
        box = [row[0] - row[2] / 2, row[1] - row[3] / 2, row[0] + row[2] / 2, row[1] + row[3] / 2]
        if score >= 0.3:
            expected.append((box, score, label))
    agree(decoded("yolo_v5", output[None]), expected)


def rfdetr_boxes(boxes: np.ndarray) -> list[list[float]]:
    half = boxes.astype(float) * SIZE
    return [[x - w / 2, y - h / 2, x + w / 2, y + h / 2] for x, y, w, h in half]


@pytest.mark.parametrize("order", [1, -1])
def test_rfdetr_takes_the_sigmoid_of_each_logit_but_the_last(order: int) -> None:
    boxes, logits = shares(20, 4), RNG.normal(-1, 2, (20, 4)).astype(np.float32)
    corners = rfdetr_boxes(boxes)
    expected = [
        (corners[row], 1 / (1 + math.exp(-float(logits[row, label]))), label) for row in range(20) for label in range(3)
    ]
    found = decoded("rfdetr", *[boxes[None], logits[None]][::order])
    agree(found, [item for item in expected if item[1] >= 0.3])


def test_dfine_is_told_by_types_not_by_order() -> None:
    labels, scores = np.array([[2, 0, 1]], np.int64), np.array([[0.9, 0.5, 0.1]], np.float32)
    boxes = np.array([[[1, 2, 30, 40], [5, 6, 7, 8], [0, 0, 9, 9]]], np.float32)
    agree(decoded("dfine", scores, labels, boxes), [([1, 2, 30, 40], 0.9, 2), ([5, 6, 7, 8], 0.5, 0)])


def test_ssd_leaves_the_background_out() -> None:
    boxes = np.array([[[0.1, 0.2, 0.5, 0.75], [0, 0, 1, 1]]], np.float32)
    scores = np.array([[[0.1, 0.7, 0.1, 0.1], [0.9, 0.05, 0.03, 0.02]]], np.float32)
    agree(decoded("ssd", scores, boxes), [([6.4, 12.8, 32, 48], 0.7, 0)])


def test_ssd_with_nms_counts_classes_from_one_and_rows_first() -> None:
    boxes = np.array([[[0.25, 0.5, 0.75, 1.0], [0, 0, 1, 1]]], np.float32)
    classes, scores = np.array([[3, 1]], np.float32), np.array([[0.8, 0.2]], np.float32)
    count = np.array([2], np.float32)
    agree(decoded("ssd_nms", boxes, classes, scores, count), [([32, 16, 64, 48], 0.8, 2)])


def test_yolo_nas_rows_begin_with_the_batch() -> None:
    rows = np.array([[0, 1, 2, 30, 40, 0.9, 1], [0, 3, 4, 5, 6, 0.2, 0]], np.float32)
    agree(decoded("yolo_nas", rows), [([1, 2, 30, 40], 0.9, 1)])


def test_a_classifier_sees_the_whole_picture() -> None:
    agree(
        decoded("classify", np.array([[0.6, 0.1, 0.35]], np.float32)),
        [([0, 0, 64, 64], 0.6, 0), ([0, 0, 64, 64], 0.35, 2)],
    )


def test_our_own_box_may_show_two_things_and_doubles_go() -> None:
    rows = np.tile(np.array([0, 0, 5, 5, 0, 0, 0], np.float32), (len(CELLS), 1))
    rows[:3] = [[10, 2, 60, 62, 0.9, 0.8, 0], [11, 2, 61, 62, 0.7, 0, 0], [0, 0, 9, 60, 0.4, 0, 0]]
    asked = spec("boxes_corners", nms_iou=0.5)
    raw = decode([rows[None]], asked, asked.meanings)
    found = [(round(score, 2), label) for score, label in zip(raw.scores.tolist(), raw.classes.tolist(), strict=True)]
    assert sorted(found) == [(0.4, 0), (0.8, 1), (0.9, 0)]


def test_another_shape_is_said_never_taken_for_nothing() -> None:
    asked = spec("yolo_v8")
    with pytest.raises(ModelFault, match=r"gave \[1, 9, 84\]; layout yolo_v8 with 3 classes is \[1, 4 \+ classes, N\]"):
        decode([np.zeros((1, 9, 84), np.float32)], asked, asked.meanings)


def test_a_class_that_nobody_named_is_said() -> None:
    rows = np.zeros((1, 300, 6), np.float32)
    rows[0, 0] = [1, 2, 3, 4, 0.9, 7]
    asked = spec("yolo_e2e")
    with pytest.raises(ModelFault, match="gave class 7; its manifest names 3"):
        decode([rows], asked, asked.meanings)


@pytest.mark.parametrize("way", ["corner", "centre", "stretch", "crop"])
def test_a_box_comes_back_to_where_it_was(way: str) -> None:
    picture = np.zeros((90, 160, 3), np.uint8)
    picture[30:60, 60:100] = 255
    asked = InputSpec.model_validate({"width": 64, "height": 64, "fit": way})
    fitted = fit(picture, asked)
    assert fitted.canvas.shape == (64, 64, 3)
    ys, xs = np.nonzero(fitted.canvas[..., 0] > 128)
    box = np.array([[xs.min(), ys.min(), xs.max() + 1, ys.max() + 1]], np.float32)
    assert fitted.back(box)[0] == pytest.approx([60, 30, 100, 60], abs=2.5)


def test_colours_scale_and_order_are_as_declared() -> None:
    picture = np.full((64, 64, 3), (10, 20, 30), np.uint8)
    asked = {"width": 64, "height": 64, "colour": "rgb", "divisor": 10, "mean": (1, 1, 1), "std": (2, 2, 2)}
    batch = tensor(picture, InputSpec.model_validate(asked))
    assert batch.shape == (1, 3, 64, 64) and batch[0, :, 0, 0].tolist() == [1.0, 0.5, 0.0]
    plain = tensor(picture, InputSpec.model_validate({"width": 64, "height": 64, "dtype": "uint8", "order": "nhwc"}))
    assert plain.dtype == np.uint8 and plain[0, 0, 0].tolist() == [10, 20, 30]


ANSWERS = json.loads((Path(__file__).parent / "exports/answers.json").read_text())


@pytest.mark.parametrize("name", sorted(ANSWERS))
def test_an_export_tells_its_layout(name: str) -> None:
    told = told_by(ANSWERS[name]["metadata"])
    assert told.layouts[0] == ANSWERS[name]["layout"] and told.size == (320, 320) and told.names[0] == "person"


@pytest.mark.parametrize(
    ("metadata", "reason"),
    [
        ({"task": "pose"}, "is a network for the task 'pose'; take one that detects or classifies"),
        ({"names": "__import__('os').system('x')"}, "metadata 'names' that cannot be read"),
        ({"names": "[" * 5000}, "metadata 'names' that cannot be read"),
        ({"names": "x" * 70_000}, "metadata 'names' of 70000 characters; at most 65536 are read"),
        ({"names": "{0: 'a', 7: 'b'}"}, "not the labels of classes 0, 1, 2"),
    ],
)
def test_metadata_are_read_not_run(metadata: dict[str, str], reason: str) -> None:
    with pytest.raises(ValueError, match=reason.replace("(", r"\(")):
        told_by(metadata)


def ranked(scale: float, columns: int = 6) -> np.ndarray:
    rows = np.zeros((1, 300, columns), np.float32)
    rows[0, :, :4] = np.array([0.2, 0.3, 0.6, 0.7]) * scale
    rows[0, :, 4] = np.linspace(0.9, 0.1, 300)
    rows[0, :, 5] = np.arange(300) % 2
    return rows


def grid(count: int, columns: int, raw: bool) -> np.ndarray:
    boxes = RNG.normal(0, 1, (count, 4)) if raw else RNG.uniform(4, 60, (count, 4))
    return np.concatenate([boxes, shares(count, columns - 4)], axis=1).astype(np.float32)[None]


@pytest.mark.parametrize(
    ("make", "labels", "layout", "by"),
    [
        (lambda: [ranked(64)], 2, "yolo_e2e", "values"),
        (lambda: [ranked(1)], 2, "detr_norm", "values"),
        (lambda: [grid(84, 7, raw=False).transpose(0, 2, 1).copy()], 3, "yolo_v8", "shapes"),
        (lambda: [grid(252, 8, raw=False)], 3, "yolo_v5", "shapes"),
        (lambda: [grid(84, 8, raw=True)], 3, "yolox", "values"),
        (lambda: [grid(84, 8, raw=False)], 3, "yolo_v5", "values"),
        (lambda: [shares(20, 4)[None], RNG.normal(0, 2, (1, 20, 4)).astype(np.float32)], 3, "rfdetr", "values"),
    ],
)
def test_a_network_without_metadata_is_told_by_shapes_and_values(
    make: Callable[[], list[np.ndarray[Any, Any]]], labels: int, layout: str, by: str, tmp_path: Path
) -> None:
    path = constant(tmp_path / "x.onnx", make())
    found = inspect(Question(str(path), tuple("abcdef"[:labels])))
    assert (found.layout, found.decided_by) == (layout, by)


def inspected(path: Path, **known: Any) -> Inspection | str:
    try:
        return inspect(Question(str(path), **known))
    except NotAllowed as refusal:
        return str(refusal)


def test_two_readings_are_refused_and_both_named_and_a_word_decides(tmp_path: Path) -> None:
    zeros = constant(tmp_path / "z.onnx", [np.zeros((1, 300, 6), np.float32)])
    refusal = inspected(zeros, classes=("a", "b"))
    assert isinstance(refusal, str)
    assert "yolo_e2e ([1, N, 6]: corners in pixels, score, class) or detr_norm ([1, N, 6]: centre boxes as" in refusal
    assert refusal.endswith("say which with --layout")
    declared = inspected(zeros, classes=("a", "b"), layout="yolo_e2e")
    assert isinstance(declared, Inspection) and declared.decided_by == "declared"


def test_metadata_decide_what_shapes_leave_open_and_may_not_contradict_them(tmp_path: Path) -> None:
    zeros = np.zeros((1, 300, 6), np.float32)
    told = {"task": "detect", "head": "Detect", "author": "Ultralytics", "names": "{0: 'a', 1: 'b'}", "end2end": "True"}
    found = inspected(constant(tmp_path / "x.onnx", [zeros], metadata=told))
    assert isinstance(found, Inspection) and (found.layout, found.decided_by) == ("yolo_e2e", "metadata")
    assert (found.feed["fit"], found.feed["colour"], found.feed["divisor"]) == ("centre", "rgb", 255)
    refusal = inspected(constant(tmp_path / "y.onnx", [zeros], metadata={**told, "end2end": "False"}))
    assert isinstance(refusal, str) and "gives [1, 300, 6] with 2 classes, but yolo_v8: [1, 4 + classes, N]" in refusal


def test_a_second_input_is_given_the_size_and_half_floats_are_fed(tmp_path: Path) -> None:
    outputs: list[np.ndarray[Any, Any]] = [np.zeros((1, 9), np.int64), np.zeros((1, 9, 4), np.float32)]
    outputs.append(np.zeros((1, 9), np.float32))
    found = inspected(constant(tmp_path / "x.onnx", outputs, inputs=2, dtype=HALF), classes=("a", "b"))
    assert isinstance(found, Inspection) and found.layout == "dfine" and found.feed["dtype"] == "float16"
