"""Tries a network that nobody vouches for, in a process of its own that may neither hang nor take the memory.

Free of numpy: the caller may be the agent's own command line.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from agent.core.errors import NotAllowed
from models.policy import examine

LIMIT_S = 20.0
MOST_MEMORY = 3 << 30
"""Address space in bytes; the libraries alone reserve about 1 GB of it."""
_ROOT = Path(__file__).parent.parent


@dataclass(frozen=True, slots=True)
class Question:
    """What is known of a network beforehand; ``size`` is width and height, empty where the file shall tell."""

    path: str
    classes: tuple[str, ...] = ()
    layout: str = ""
    size: tuple[int, ...] = ()
    feed: dict[str, Any] = field(default_factory=dict)
    pictures: tuple[str, ...] = ()
    metadata: dict[str, str] = field(default_factory=dict)
    memory: int = MOST_MEMORY
    cpu_s: int = int(LIMIT_S)


@dataclass(frozen=True, slots=True)
class Inspection:
    """What the trial found. ``feed`` is the whole input as a manifest says it; ``run_ms`` the median of one run."""

    layout: str
    decided_by: str
    classes: tuple[str, ...]
    feed: dict[str, Any]
    outputs: tuple[tuple[int, ...], ...]
    run_ms: float
    licence: str = ""


def inspect(question: Question, limit_s: float = LIMIT_S) -> Inspection:
    """Examine the file, then load and run it in a child. Raises NotAllowed with every reason, in words."""
    path = Path(question.path).absolute()
    found, reasons = examine(path)
    if reasons or found is None:
        raise NotAllowed("; ".join(reasons))
    asked = asdict(question) | {"path": str(path), "metadata": found.metadata}
    answer = ask_child("models.inspector", asked, path.name, limit_s)
    if "refused" in answer:
        raise NotAllowed(f"{path.name} {answer['refused']}")
    answer["classes"] = tuple(answer["classes"])
    answer["outputs"] = tuple(tuple(shape) for shape in answer["outputs"])
    return Inspection(**answer)


def ask_child(module: str, asked: dict[str, Any], name: str, limit_s: float) -> dict[str, Any]:
    """Run one of our child processes in an empty folder; return its answer. Raises NotAllowed when it gives none."""
    with tempfile.TemporaryDirectory(prefix="anshao-model-") as empty:
        try:
            done = subprocess.run(
                [sys.executable, "-m", module],
                input=json.dumps(asked).encode(),
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                cwd=empty,
                env=_environment(empty),
                timeout=limit_s,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise NotAllowed(f"{name} was not done within {limit_s:g} s; it is too slow, or never ends") from None
    if done.returncode:
        raise NotAllowed(f"{name} {_end(done.returncode)}")
    try:
        answer: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        raise NotAllowed(f"{name} ended its trial without an answer") from None
    return answer


def _environment(home: str) -> dict[str, str]:
    """Nothing of ours but where the code stands."""
    kept = {key: os.environ[key] for key in ("PATH", "LANG", "LD_LIBRARY_PATH") if key in os.environ}
    return {**kept, "PYTHONPATH": str(_ROOT), "HOME": home, "OPENBLAS_NUM_THREADS": "1", "ORT_DISABLE_TELEMETRY": "1"}


def _end(code: int) -> str:
    if code == -signal.SIGXCPU or code == -signal.SIGKILL:
        return "was ended: it took more time or memory than a trial may"
    if code < 0:
        return f"made its trial crash ({signal.Signals(-code).name}); it is damaged, or wants to do harm"
    return f"made its trial fail (status {code}); it is damaged, or wants more memory than a trial may have"
