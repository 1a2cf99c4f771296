"""Writes a trained detector as ONNX and proves that it says the same: python -m training.export --help."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import onnxruntime
import torch

from .network import Detector, Scored

MOST_APART = 0.01
"""Pixels, or score: float rounding, nothing more."""


def export(scored: Scored, width: int, height: int, out: Path) -> float:
    """Write the network for pictures of this size. Return how far both answers are apart, raising ValueError if far."""
    generator = torch.Generator().manual_seed(0)
    pictures = torch.rand(1, 3, height, width, generator=generator) * 255
    torch.onnx.export(
        scored, (pictures,), str(out), input_names=["images"], output_names=["pred"], opset_version=13, dynamo=False
    )
    session = onnxruntime.InferenceSession(str(out), providers=["CPUExecutionProvider"])
    said = session.run(None, {"images": pictures.numpy()})[0]
    with torch.no_grad():
        apart = float(np.abs(said - scored(pictures).numpy()).max())
    if apart > MOST_APART:
        raise ValueError(f"{out} says something else than the trained network: {apart}")
    return apart


def main() -> None:
    """Read the arguments and export."""
    parser = argparse.ArgumentParser(description="Writes a trained detector as ONNX.")
    parser.add_argument("--start", type=Path, required=True, help="yolox_nano.onnx: the network's shape")
    parser.add_argument("--weights", type=Path, required=True, help="what train.py wrote")
    parser.add_argument("--size", default="640x384", help="width x height, multiples of 32")
    parser.add_argument("--out", type=Path, required=True)
    asked = parser.parse_args()
    detector = Detector(asked.start)
    detector.load_state_dict(torch.load(asked.weights, weights_only=True))
    width, height = map(int, asked.size.split("x"))
    print(f"{asked.out}: at most {export(Scored(detector).eval(), width, height, asked.out):.5f} apart")


if __name__ == "__main__":
    main()
