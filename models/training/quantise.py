"""Puts a detector into a bundle twice: as it is, and in INT8 beside it (static QDQ, calibrated on training pictures).

python -m training.quantise --data DATA --bundle models/ppe [--detector build/detector.onnx]

Needs no torch. What stays in full precision: the first convolutions, whose few channels spread too far for eight bits,
and the heads, which make boxes and scores and cost little.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantType
from onnxruntime.quantization.calibrate import TensorData, TensorsData, create_calibrator
from onnxruntime.quantization.qdq_quantizer import QDQQuantizer
from onnxruntime.quantization.registry import QDQRegistry, QLinearOpsRegistry
from onnxruntime.quantization.shape_inference import quant_pre_process

from .data import training_part

FULL, SMALL = "detector.onnx", "detector.int8.onnx"
PICTURES, CHECKED = 100, 60
FIRST_CONVOLUTIONS, LAST_CONVOLUTIONS = 3, 30
LEAST_BEFORE_SILU = -6.0
"""SiLU makes next to nothing of what is below: the 256 steps are better spent on what is above."""
PAD = 114
SURE = 0.45

Batch = NDArray[np.float32]


class Calibration(CalibrationDataReader):  # type: ignore[misc]
    """Hands out pictures as the detector is fed in a camera's worker."""

    def __init__(self, paths: list[Path], name: str, width: int, height: int) -> None:
        self._name = name
        self._batches: Iterator[Batch] = (fed(path, width, height) for path in paths)

    def get_next(self) -> dict[str, Batch] | None:
        """Return the next picture, None after the last."""
        batch = next(self._batches, None)
        return None if batch is None else {self._name: batch}


def fed(path: Path, width: int, height: int) -> Batch:
    """Return a picture fitted into the upper left corner, BGR 0 to 255, NCHW. Raises OSError."""
    picture = cv2.imread(str(path))
    if picture is None:
        raise OSError(f"not a picture: {path}")
    zoom = min(width / picture.shape[1], height / picture.shape[0])
    small = cv2.resize(picture, (round(picture.shape[1] * zoom), round(picture.shape[0] * zoom)))
    canvas = np.full((height, width, 3), PAD, np.uint8)
    canvas[: small.shape[0], : small.shape[1]] = small
    return np.ascontiguousarray(canvas.transpose(2, 0, 1)[None], np.float32)


def quantise(source: Path, out: Path, paths: list[Path]) -> None:
    """Write the network in INT8: activations unsigned, weights signed with seven bits, per channel.

    Seven, for eight overflow on processors without VNNI, and the answers must be the same on all.
    """
    with tempfile.TemporaryDirectory() as folder:
        plain = Path(folder) / "plain.onnx"
        quant_pre_process(str(source), str(plain), skip_symbolic_shape=True)
        model = onnx.load(plain)
        port = model.graph.input[0]
        height, width = (size.dim_value for size in port.type.tensor_type.shape.dim[2:])
        calibrator = create_calibrator(
            plain,
            [],
            augmented_model_path=str(Path(folder) / "augmented.onnx"),
            calibrate_method=CalibrationMethod.MinMax,
            extra_options={"moving_average": True},  # of the pictures' extremes: one glaring picture sets no range
        )
        calibrator.collect_data(Calibration(paths, port.name, width, height))
        ranges = TensorsData(CalibrationMethod.MinMax, narrowed(model, calibrator.compute_data()))
        quantizer = QDQQuantizer(
            model,
            per_channel=True,
            reduce_range=True,
            weight_qType=QuantType.QInt8,
            activation_qType=QuantType.QUInt8,
            tensors_range=ranges,
            nodes_to_quantize=[],
            nodes_to_exclude=sorted({*both_ends(model), *ending(model)}),
            op_types_to_quantize=sorted({*QLinearOpsRegistry, *QDQRegistry}),
            extra_options={},
        )
        quantizer.quantize_model()
        onnx.save(quantizer.model.model, out)


def narrowed(model: onnx.ModelProto, found: TensorsData) -> dict[str, TensorData]:
    """Return the range of each tensor; of what goes into a SiLU only the part that matters."""
    silu = {node.input[0] for node in model.graph.node if node.op_type == "Sigmoid"}
    ranges = {}
    for name, tensor in found.items():
        low, high = (float(np.asarray(edge).reshape(-1)[0]) for edge in tensor.range_value)
        low = max(low, LEAST_BEFORE_SILU) if name in silu else low
        ranges[name] = TensorData(lowest=np.float32(low), highest=np.float32(high))
    return ranges


def both_ends(model: onnx.ModelProto) -> list[str]:
    """Name the nodes before the first convolution that is made smaller, and from the first that is not any more."""
    names = [node.name for node in model.graph.node]
    convolutions = [node.name for node in model.graph.node if node.op_type == "Conv"]
    first, last = (names.index(convolutions[at]) for at in (FIRST_CONVOLUTIONS, -LAST_CONVOLUTIONS))
    return [name for name in (*names[:first], *names[last:]) if name]


def ending(model: onnx.ModelProto) -> set[str]:
    """Name the nodes from which an output is reached without another convolution, and the last convolutions."""
    makers = {output: node for node in model.graph.node for output in node.output}
    found: set[str] = set()
    wanted = [output.name for output in model.graph.output]
    while wanted:
        node = makers.get(wanted.pop())
        if node is None or node.name in found:
            continue
        found.add(node.name)
        wanted += [] if node.op_type == "Conv" else list(node.input)
    return found


def difference(full: Path, small: Path, paths: list[Path]) -> str:
    """Say how both answer on the same pictures, where the full one is sure of a person."""
    sessions = [onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"]) for path in (full, small)]
    port = sessions[0].get_inputs()[0]
    height, width = port.shape[2:]
    scores, boxes = [], []
    for path in paths:
        batch = fed(path, width, height)
        exact, rough = (session.run(None, {port.name: batch})[0][0] for session in sessions)
        sure = exact[:, 4] > SURE
        scores.append(rough[sure, 4] - exact[sure, 4])
        boxes.append(np.abs(rough[sure, :4] - exact[sure, :4]))
    apart, shift = np.concatenate(scores), np.concatenate(boxes)
    return (
        f"{len(apart)} candidates: score {apart.mean():+.3f} on average, {np.abs(apart).mean():.3f} apart;"
        f" edges {shift.mean():.1f} pixels apart"
    )


def listed(manifest: str, name: str, sha256: str) -> str:
    """Return the manifest's text with the hash of a file; a new one stands below the detector's."""
    entry = f"  {name}: {sha256}"
    text, known = re.subn(rf"^  {re.escape(name)}: [0-9a-f]{{64}}$", entry, manifest, flags=re.MULTILINE)
    if known:
        return text
    return re.sub(rf"^(  {re.escape(FULL)}: .*)$", rf"\1\n{entry}", manifest, count=1, flags=re.MULTILINE)


def with_variant(manifest: str) -> str:
    """Return the manifest's text with the smaller network as a variant of the detector."""
    if "variants:" in manifest:
        return manifest
    return manifest.replace(
        f"  file: {FULL}\n", f"  file: {FULL}\n  variants: [{{file: {SMALL}, precision: int8}}]\n", 1
    )


def main() -> None:
    """Read the arguments, quantise, and say in the manifest which files they are."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with data/split.json and the pictures")
    parser.add_argument("--bundle", type=Path, required=True)
    parser.add_argument("--detector", type=Path, help="a new detector that takes the place of the bundle's")
    asked = parser.parse_args()
    paths = sorted(example.path for example in training_part(asked.data))
    random.Random(0).shuffle(paths)
    full, small = asked.bundle / FULL, asked.bundle / SMALL
    if asked.detector:
        shutil.copyfile(asked.detector, full)
    quantise(full, small, paths[:PICTURES])
    print(difference(full, small, paths[PICTURES : PICTURES + CHECKED]))
    manifest = asked.bundle / "manifest.yaml"
    text = with_variant(manifest.read_text(encoding="utf-8"))
    for path in (full, small):
        text = listed(text, path.name, hashlib.sha256(path.read_bytes()).hexdigest())
    manifest.write_text(text, encoding="utf-8")
    print(f"{small}: {small.stat().st_size} bytes; hashes are in {manifest}")


if __name__ == "__main__":
    main()
