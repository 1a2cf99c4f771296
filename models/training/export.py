"""Writes a trained network as ONNX and proves that it says the same: python -m training.export --help."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from torch import Tensor, nn

from .network import Detector, Judged, Scored, Wearing
from .persons import HEIGHT, WIDTH

MOST_APART = 0.01
"""Pixels, or score: float rounding, nothing more."""


def export(scored: Scored, width: int, height: int, out: Path) -> float:
    """Write a detector for pictures of this size. Return how far both answers are apart."""
    pictures = _noise(1, height, width)
    torch.onnx.export(
        scored, (pictures,), str(out), input_names=["images"], output_names=["pred"], opset_version=13, dynamo=False
    )
    return _apart(scored, out, pictures)


def export_wearing(judged: Judged, out: Path) -> float:
    """Write a classifier for any number of crops. Return how far both answers are apart."""
    torch.onnx.export(
        judged,
        (_noise(1, HEIGHT, WIDTH),),
        str(out),
        input_names=["crops"],
        output_names=["prob", "att"],
        dynamic_axes={name: {0: "n"} for name in ("crops", "prob", "att")},
        opset_version=13,
        dynamo=False,
    )
    return _apart(judged, out, _noise(3, HEIGHT, WIDTH))


def _noise(number: int, height: int, width: int) -> Tensor:
    return torch.rand(number, 3, height, width, generator=torch.Generator().manual_seed(0)) * 255


def _apart(network: nn.Module, out: Path, pictures: Tensor) -> float:
    """Return by how much the file's first answer differs from the network's, raising ValueError if it is much."""
    session = onnxruntime.InferenceSession(str(out), providers=["CPUExecutionProvider"])
    said = session.run(None, {session.get_inputs()[0].name: pictures.numpy()})[0]
    with torch.no_grad():
        known = network(pictures)
    apart = float(np.abs(said - (known if isinstance(known, Tensor) else known[0]).numpy()).max())
    if apart > MOST_APART:
        raise ValueError(f"{out} says something else than the trained network: {apart}")
    return apart


def main() -> None:
    """Read the arguments and export."""
    parser = argparse.ArgumentParser(description="Writes a trained network as ONNX.")
    parser.add_argument("--start", type=Path, required=True, help="yolox_nano.onnx: the network's shape")
    parser.add_argument("--weights", type=Path, required=True, help="what train.py or train_wearing.py wrote")
    parser.add_argument("--size", default="640x384", help="of a detector: width x height, multiples of 32")
    parser.add_argument("--wearing", action="store_true", help="it is a classifier")
    parser.add_argument("--out", type=Path, required=True)
    asked = parser.parse_args()
    network = Wearing(asked.start) if asked.wearing else Detector(asked.start)
    network.load_state_dict(torch.load(asked.weights, weights_only=True))
    if isinstance(network, Wearing):
        apart = export_wearing(Judged(network).eval(), asked.out)
    else:
        width, height = map(int, asked.size.split("x"))
        apart = export(Scored(network).eval(), width, height, asked.out)
    print(f"{asked.out}: at most {apart:.5f} apart")


if __name__ == "__main__":
    main()
