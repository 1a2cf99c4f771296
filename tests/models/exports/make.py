"""Makes the recorded answers of the exporting library in this folder; runs in a throw-away environment of its own.

    pip install torch torchvision ultralytics==8.4.190 onnx onnxruntime opencv-python-headless pydantic PyYAML
    PYTHONPATH=. python tests/models/exports/make.py

Each network has random weights with batch norms fitted to a picture, so that scores and boxes spread. It is exported to
ONNX and answers twice: the library's own ``predict`` on the file, and our feeding with the plain runtime. Recorded are
the plain outputs (rows from a little below the threshold) and the library's boxes, score and class for each. Those
here were recorded without torchvision: doubles were dropped by the library's own plain NMS.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnxruntime as ort
import yaml

from models.feed import InputSpec
from models.feeding import fit, tensor

os.environ.update(YOLO_OFFLINE="true", YOLO_AUTOINSTALL="false")
torch: Any = importlib.import_module("torch")
ultralytics: Any = importlib.import_module("ultralytics")

HERE = Path(__file__).parent
NAMES = ["person", "helmet", "no_helmet", "vest", "no_vest", "forklift"]
SIZE, ROWS, BELOW = 320, 120, 30
PICTURE = HERE.parents[2] / "models/ppe/golden/bare.jpg"
CASES = {
    "yolov5nu": ("v5/yolov5.yaml", "yolov5n.yaml", {}, "yolo_v8"),
    "yolov8n": ("v8/yolov8.yaml", "yolov8n.yaml", {}, "yolo_v8"),
    "yolov9t": ("v9/yolov9t.yaml", "yolov9t.yaml", {}, "yolo_v8"),
    "yolov10n": ("v10/yolov10n.yaml", "yolov10n.yaml", {}, "yolo_v8"),
    "yolov10n-e2e": ("v10/yolov10n.yaml", "yolov10n.yaml", {"nms": False}, "yolo_e2e"),
    "yolo11n": ("11/yolo11.yaml", "yolo11n.yaml", {}, "yolo_v8"),
    "yolo12n": ("12/yolo12.yaml", "yolo12n.yaml", {}, "yolo_v8"),
    "yolo26n": ("26/yolo26.yaml", "yolo26n.yaml", {}, "yolo_v8"),
    "yolo26n-e2e": ("26/yolo26.yaml", "yolo26n.yaml", {"nms": False}, "yolo_e2e"),
    "rtdetr": ("rt-detr/rtdetr-resnet50.yaml", "rtdetr-resnet50.yaml", {}, "detr_norm"),
}


def read() -> Any:
    return cv2.imread(str(PICTURE))


def built(source: str, name: str, folder: Path) -> Any:
    """A network of the family with our classes and scores that spread."""
    config = yaml.safe_load((Path(ultralytics.__file__).parent / "cfg/models" / source).read_text())
    config["nc"] = len(NAMES)
    (folder / name).write_text(yaml.safe_dump(config))
    kind = ultralytics.RTDETR if "rtdetr" in name else ultralytics.YOLO
    torch.manual_seed(7)
    model = kind(str(folder / name))
    model.model.names = dict(enumerate(NAMES))
    picture = cv2.resize(read(), (SIZE, SIZE))
    batch = torch.from_numpy(picture[..., ::-1].transpose(2, 0, 1)[None].astype(np.float32) / 255)
    batch = torch.cat([batch, batch.flip(3), batch.flip(2), batch * 0.5])
    norms = [layer for layer in model.model.modules() if isinstance(layer, torch.nn.BatchNorm2d)]
    for layer in norms:
        layer.train()
        layer.momentum = 0.3
    with torch.no_grad():
        for _ in range(12):
            model.model.eval()
            for layer in norms:
                layer.train()
            model.model.predict(batch)
        _spread(model.model)
    model.model.eval()
    return model


def _spread(network: Any) -> None:
    """Let the last layers of a head differ more from cell to cell than fresh weights do."""
    head = network.model[-1]
    for name, layer in head.named_modules():
        last = isinstance(layer, torch.nn.Conv2d) and layer.kernel_size == (1, 1) and layer.bias is not None
        if last and ("cv3" in name or "cv2" in name):
            layer.weight.mul_(4.0)
            layer.bias.mul_(0.3)
        if isinstance(layer, torch.nn.Linear) and ("score_head" in name or "bbox_head" in name):
            layer.weight.add_(torch.randn_like(layer.weight) * 0.05)


def spec_of(layout: str) -> InputSpec:
    """How the exporting library feeds such a network."""
    return InputSpec(
        width=SIZE, height=SIZE, colour="rgb", divisor=255, fit="stretch" if layout == "detr_norm" else "centre"
    )


def scores_of(output: Any, layout: str) -> Any:
    return output[0, 4:].max(axis=0) if layout == "yolo_v8" else output[0, :, 4]


def record(name: str, folder: Path) -> dict[str, Any]:
    source, config, export, layout = CASES[name]
    os.chdir(folder)
    path = built(source, config, folder).export(format="onnx", imgsz=SIZE, simplify=False, device="cpu", **export)
    picture = read()
    session = ort.InferenceSession(path)
    ours = tensor(fit(picture, spec_of(layout)).canvas, spec_of(layout))
    (output,) = session.run(None, {session.get_inputs()[0].name: ours})
    scores = scores_of(output, layout)
    ranked = np.sort(scores)[::-1]
    conf = float((ranked[ROWS - 1] + ranked[ROWS]) / 2)
    library = ultralytics.RTDETR(path) if layout == "detr_norm" else ultralytics.YOLO(path, task="detect")
    (answer,) = library.predict(picture, imgsz=SIZE, conf=conf, iou=0.5, verbose=False, device="cpu")
    kept = scores >= ranked[min(ROWS + BELOW, len(ranked) - 1)]
    rows = output[:, :, kept] if layout == "yolo_v8" else output[:, kept]
    np.savez_compressed(HERE / f"{name}.npz", output=rows.astype(np.float32))
    metadata = session.get_modelmeta().custom_metadata_map
    return {
        "library": f"ultralytics {ultralytics.__version__}, torch {torch.__version__}",
        "layout": layout,
        "conf": conf,
        "picture": list(picture.shape[:2]),
        "outputs": [list(item.shape) for item in session.get_outputs()],
        "metadata": {
            key: metadata[key] for key in ("task", "names", "imgsz", "head", "end2end", "args", "author", "stride")
        },
        "boxes": [[round(value, 3) for value in box] for box in answer.boxes.xyxy.tolist()],
        "scores": [round(value, 5) for value in answer.boxes.conf.tolist()],
        "classes": [int(value) for value in answer.boxes.cls.tolist()],
    }


def main() -> None:
    answers = HERE / "answers.json"
    recorded = json.loads(answers.read_text()) if answers.exists() else {}
    for name in sys.argv[1:] or CASES:
        with tempfile.TemporaryDirectory() as folder:
            recorded[name] = record(name, Path(folder))
        print(name, len(recorded[name]["boxes"]), recorded[name]["conf"])
    answers.write_text(json.dumps(recorded, indent=1) + "\n")


if __name__ == "__main__":
    main()
