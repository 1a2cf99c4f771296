"""What was tried on this machine, on disk, by bundle: measured once, void when the machine or the runtime changes."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from agent.core.files import sha256_of
from models.engines import Tried, tried_of

_PACKAGES = ("onnxruntime", "onnxruntime-gpu", "onnxruntime-openvino", "tensorrt", "openvino")
_GPU_DRIVER = Path("/proc/driver/nvidia/version")


class EngineBook:
    """A folder with a small file for each bundle; without a folder nothing is kept. Methods raise no OSError."""

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder
        self._machine = machine()

    def read(self, bundle: Path) -> tuple[Tried, ...]:
        """Return what was tried with a bundle on this machine; nothing when it was not, or was on another one."""
        if self.folder is None:
            return ()
        try:
            saved = json.loads(self._path(self.folder, bundle).read_bytes())
            return tried_of(saved["tried"]) if saved["machine"] == self._machine else ()
        except (OSError, ValueError, KeyError, TypeError):
            return ()

    def write(self, bundle: Path, tried: Sequence[Tried]) -> str:
        """Keep it; return why that failed, or nothing."""
        if self.folder is None:
            return ""
        text = json.dumps({"machine": self._machine, "tried": [asdict(each) for each in tried]}, indent=1)
        try:
            path = self._path(self.folder, bundle)
            path.parent.mkdir(parents=True, exist_ok=True)
            draft = path.with_suffix(".new")
            draft.write_text(text, encoding="utf-8")
            draft.replace(path)
        except OSError as error:
            return error.strerror or str(error)
        return ""

    @staticmethod
    def _path(folder: Path, bundle: Path) -> Path:
        return folder / f"{sha256_of(bundle / 'manifest.yaml')[:16]}.json"


def machine() -> str:
    """Name the processor, the runtimes and the GPU's driver: what an engine's speed and answers depend on."""
    runtimes = [f"{name} {found}" for name in _PACKAGES if (found := _version(name))]
    return "; ".join([_processor(), *runtimes, *_first_lines(_GPU_DRIVER)])


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith(("model name", "CPU part"))]
    return f"{named[0] if named else platform.machine()}, {os.cpu_count()} cores"


def _first_lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8", errors="replace").splitlines()[:1]
    except OSError:
        return []
