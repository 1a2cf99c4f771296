"""A child process: runs a bundle on pictures, draws what it finds, and says it as golden cases. JSON in, JSON out."""

from __future__ import annotations

import json
import os
import statistics
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import cv2
import numpy as np

from agent.core.document import Document
from agent.core.errors import ConfigError
from models.bundle import Bundle, Manifest
from models.detection import Detection, Wearing
from models.feeding import Picture
from models.inference import Vision, golden_faults
from models.inspector import limit
from models.running import ModelFault
from models.vocabulary import Thing

_RED, _GREEN, _BLUE = (40, 40, 230), (60, 180, 60), (220, 160, 40)
WIDEST_PX = 960


def unconfirmed(folder: Path) -> Bundle:
    """Read a bundle whose golden cases may be still to come; its files are not verified. Raises ConfigError."""
    document = Document.load(folder / "manifest.yaml")
    data = {"golden": [{"picture": "none"}], **(document.data or {})}
    manifest, faults = document.read(Manifest, data=data)
    if manifest is None:
        raise ConfigError(faults)
    return Bundle(folder, manifest)


def show(asked: dict[str, Any]) -> dict[str, Any]:
    """Run a bundle on every picture; draw into ``out`` where one is named. Raises ConfigError and ModelFault."""
    bundle = unconfirmed(Path(asked["folder"]))
    vision = Vision(bundle)
    cases, times = [], []
    for path in map(Path, asked["pictures"]):
        picture = cv2.imread(str(path))
        if picture is None:
            cases.append({"picture": path.name, "fault": "is not a picture"})
            continue
        began = time.perf_counter()
        found = [item for item in vision.look(np.asarray(picture, np.uint8)) if item.score >= vision.sure]
        times.append(1000 * (time.perf_counter() - began))
        cases.append(_case(path, found))
        if asked["out"]:
            cv2.imwrite(str(Path(asked["out"]) / f"{path.stem}.jpg"), drawn(np.asarray(picture, np.uint8), found))
    faults = golden_faults(bundle, vision) if asked["golden"] else []
    return {"cases": cases, "golden_faults": faults, "look_ms": round(statistics.median(times), 1) if times else 0.0}


def drawn(picture: Picture, found: Sequence[Detection]) -> Picture:
    """Return the picture, at most 960 pixels wide, with boxes and what each is."""
    zoom = min(1.0, WIDEST_PX / picture.shape[1])
    canvas: Picture = np.asarray(cv2.resize(picture, None, fx=zoom, fy=zoom), np.uint8) if zoom < 1 else picture.copy()
    for number, item in enumerate(found, 1):
        left, top, right, bottom = (int(zoom * edge) for edge in _edges(item))
        missing = [f"no {gear}" for gear, wearing in item.gear.items() if wearing is Wearing.MISSING]
        worn = [str(gear) for gear, wearing in item.gear.items() if wearing is Wearing.WORN]
        colour = _RED if missing else _GREEN if worn else _BLUE
        label = f"{number} {item.thing} {item.score:.2f} {' '.join([*missing, *worn])}"
        cv2.rectangle(canvas, (left, top), (right, bottom), colour, 2)
        cv2.putText(canvas, label, (left, max(12, top - 5)), cv2.FONT_HERSHEY_SIMPLEX, 0.45, colour, 1, cv2.LINE_AA)
    return canvas


def _case(path: Path, found: Sequence[Detection]) -> dict[str, Any]:
    persons = [
        {"box": _edges(item), **{str(gear): str(wearing) for gear, wearing in item.gear.items() if _told(wearing)}}
        for item in found
        if item.thing is Thing.PERSON
    ]
    things = [{"thing": str(item.thing), "box": _edges(item)} for item in found if item.thing is not Thing.PERSON]
    return {"picture": path.name, "persons": persons, **({"things": things} if things else {})}


def _told(wearing: Wearing) -> bool:
    return wearing is not Wearing.UNKNOWN


def _edges(item: Detection) -> list[int]:
    box = item.box
    return [round(edge) for edge in (box.left, box.top, box.right, box.bottom)]


def main() -> None:
    """Answer one question."""
    asked = json.load(sys.stdin)
    limit(asked["memory"], asked["cpu_s"])
    cv2.setNumThreads(1)
    try:
        answer = show(asked)
    except (ConfigError, ModelFault) as error:
        answer = {"refused": str(error)}
    except Exception as error:  # noqa: BLE001 - whatever a runtime throws at a network it cannot run
        answer = {"refused": f"cannot be run: {error}"}
    print(json.dumps(answer), flush=True)  # noqa: T201 - the answer
    os._exit(0)


if __name__ == "__main__":
    main()
