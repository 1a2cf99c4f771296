"""The child of models.inspection: loads a network under limits, runs it, says what it is. One JSON in, one out."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import statistics
import sys
import time
from collections.abc import Sequence
from typing import Any

os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import cv2
import numpy as np

from models.feed import InputSpec
from models.feeding import Array, Picture, fit, tensor
from models.inference import open_session
from models.layouts import Frame, Outputs
from models.metadata import told_by
from models.resolution import TAKES, resolve
from models.running import ModelFault, Network

WARM_UPS = 10
_PROBES = 3
_TYPES = {"tensor(float)": "float32", "tensor(float16)": "float16", "tensor(uint8)": "uint8"}


class Trial:
    """One network under trial. Raises ValueError, in words, for whatever makes it unfit."""

    def __init__(self, asked: dict[str, Any]) -> None:
        self._asked, self._told = asked, told_by(asked["metadata"])
        self.classes = tuple(asked["classes"]) or self._told.names
        if not self.classes:
            raise ValueError("does not name its classes; give them with --labels")
        self._network = Network(open_session(asked["path"]), "the network")
        self._port = self._input()
        self._pictures = _pictures(asked["pictures"])
        self._answers: dict[InputSpec, list[Outputs]] = {}

    def judge(self) -> dict[str, Any]:
        """Decide the layout and measure one run."""
        width, height = self._port["width"], self._port["height"]
        frame = Frame(width, height, len(self.classes), 0.0)
        inputs = len(self._network.inputs)
        decision = resolve(self._asked["layout"], self._told.layouts, inputs, frame, self._answer)
        spec = self._spec(decision.layout)
        return {
            "layout": decision.layout,
            "decided_by": decision.by,
            "classes": self.classes,
            "feed": spec.model_dump(mode="json", exclude_defaults=True),
            "outputs": [output.shape for output in self._answer(decision.layout)[0]],
            "run_ms": round(self._run_ms(spec), 2),
            "licence": self._told.licence[:200],
        }

    def _input(self) -> dict[str, Any]:
        """Return width, height, type and order of the picture's input."""
        name, shape, kind = self._network.inputs[0]
        if kind not in _TYPES:
            raise ValueError(f"takes {kind} at input {name!r}; known are {', '.join(_TYPES)}")
        nhwc = len(shape) == 4 and shape[3] == 3
        if len(shape) != 4 or not (nhwc or shape[1] == 3 or isinstance(shape[1], str)):
            raise ValueError(f"takes {shape} at input {name!r}, not one picture of three colours")
        if isinstance(shape[0], int) and shape[0] != 1:
            raise ValueError(f"takes {shape[0]} pictures at once; export it for one")
        sizes = shape[1:3] if nhwc else shape[2:4]
        width, height = self._size(sizes)
        return {"width": width, "height": height, "dtype": _TYPES[kind], "order": "nhwc" if nhwc else "nchw"}

    def _size(self, sizes: Sequence[Any]) -> tuple[int, int]:
        if all(isinstance(size, int) and size > 0 for size in sizes):
            return int(sizes[1]), int(sizes[0])
        width, height = self._asked["size"] or self._told.size or (0, 0)
        if not width:
            raise ValueError("does not fix the size of its input; give it with --size WIDTHxHEIGHT")
        return width, height

    def _spec(self, layout: str) -> InputSpec:
        return InputSpec.model_validate({**TAKES[layout], **self._port, **self._asked["feed"]})

    def _answer(self, layout: str) -> list[Outputs]:
        """Return the outputs for a few pictures, fed as the layout wants; computed once."""
        spec = self._spec(layout)
        if spec not in self._answers:
            self._answers[spec] = [self._run(picture, spec) for picture in self._pictures[:_PROBES]]
        return self._answers[spec]

    def _run(self, picture: Picture, spec: InputSpec) -> list[Array]:
        first, *others = [name for name, _, _ in self._network.inputs]
        size = np.array([[spec.width, spec.height]], np.int64)
        return self._network({first: tensor(fit(picture, spec).canvas, spec), **dict.fromkeys(others, size)})

    def _run_ms(self, spec: InputSpec) -> float:
        times = []
        for _ in range(WARM_UPS):
            began = time.perf_counter()
            self._run(self._pictures[0], spec)
            times.append(time.perf_counter() - began)
        return 1000 * statistics.median(times)


def _pictures(paths: Sequence[str]) -> list[Picture]:
    """Read the pictures, or make one that is not the same everywhere."""
    found = [np.asarray(picture, np.uint8) for path in paths[:_PROBES] if (picture := cv2.imread(path)) is not None]
    noise = np.random.default_rng(1).integers(0, 256, (45, 80, 3), np.uint8)
    return found or [np.asarray(cv2.resize(noise, (640, 360)), np.uint8)]


def limit(memory: int, cpu_s: int) -> None:
    """Take from this process what a hostile network could use up."""
    for kind, most in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_CPU, cpu_s),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 1 << 20),
    ):
        resource.setrlimit(kind, (most, most))


def main() -> None:
    """Answer one question."""
    asked = json.load(sys.stdin)
    limit(asked["memory"], asked["cpu_s"])
    cv2.setNumThreads(1)
    try:
        answer = Trial(asked).judge()
    except (ValueError, ModelFault) as error:
        answer = {"refused": str(error)}
    except MemoryError:
        answer = {"refused": "wants more memory than a trial may have"}
    except Exception as error:  # noqa: BLE001 - whatever a runtime throws at a network it cannot run
        answer = {"refused": f"cannot be run: {_first_line(error)}"}
    print(json.dumps(answer), flush=True)  # noqa: T201 - the answer
    with contextlib.suppress(OSError):
        sys.stdout.close()
    os._exit(0)  # no destructor of a damaged session may turn an answer into a crash


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:300]


if __name__ == "__main__":
    main()
