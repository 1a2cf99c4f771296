"""What may run a network here, in the order of preference, and what each is told. Free of numpy: the agent reads it.

An execution provider that is not in this list is never used, whatever a runtime offers.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import Any


class Provider(StrEnum):
    """What computes. The order is the one in which ``auto`` tries them."""

    TENSORRT = "tensorrt"
    CUDA = "cuda"
    OPENVINO = "openvino"
    CPU = "cpu"


AUTO = "auto"
MOST_GPU_BYTES = 1 << 30
"""What one worker's network may take of the GPU's memory: several cameras share it."""
NAMES = {
    Provider.TENSORRT: "TensorrtExecutionProvider",
    Provider.CUDA: "CUDAExecutionProvider",
    Provider.OPENVINO: "OpenVINOExecutionProvider",
    Provider.CPU: "CPUExecutionProvider",
}
PACKAGES = {
    Provider.TENSORRT: "onnxruntime-gpu and TensorRT",
    Provider.CUDA: "onnxruntime-gpu",
    Provider.OPENVINO: "onnxruntime-openvino",
    Provider.CPU: "onnxruntime",
}
_GPU_NODES = Path("/dev/dri")


def offered(available: Iterable[str]) -> tuple[Provider, ...]:
    """Return those of the runtime's own names that may be used, the best first."""
    names = set(available)
    return tuple(provider for provider, name in NAMES.items() if name in names)


def installed(folders: Iterable[str] | None = None) -> tuple[Provider, ...]:
    """Return what the installed runtime offers, told from its files: the agent does not load it."""
    for folder in map(Path, sys.path if folders is None else folders):
        capi = folder / "onnxruntime" / "capi"
        if capi.is_dir():
            return tuple(each for each in Provider if each is Provider.CPU or (capi / _library(each)).is_file())
    return (Provider.CPU,)


def _library(provider: Provider) -> str:
    return f"libonnxruntime_providers_{provider}.so"


def pin_fault(wanted: str, there: Iterable[Provider]) -> str:
    """Return why a camera cannot have what it is pinned to, and what would be right; empty when it can."""
    found = [AUTO, *there]
    if wanted in found:
        return ""
    package = PACKAGES[Provider(wanted)]
    return (
        f"the runtime that is installed does not offer {wanted}, only {', '.join(found[1:])}; "
        f"install {package} (docs/accelerators.md), or write 'provider: auto'"
    )


def chain(provider: Provider, cache: Path | None, gpu: bool | None = None) -> list[tuple[str, dict[str, Any]]]:
    """Return what a session is opened with: the provider, and what takes the operators that it does not know.

    ``cache`` is a folder for what a provider compiles; ``gpu`` tells whether OpenVINO has a graphics card to run on.
    """
    cpu = (NAMES[Provider.CPU], _NOTHING)
    if provider is Provider.CPU:
        return [cpu]
    if provider is Provider.OPENVINO:
        card = any(_GPU_NODES.glob("renderD*")) if gpu is None else gpu
        return [(NAMES[provider], _openvino(cache, card)), cpu]
    cuda = (NAMES[Provider.CUDA], _cuda())
    return [cuda, cpu] if provider is Provider.CUDA else [(NAMES[provider], _tensorrt(cache)), cuda, cpu]


_NOTHING: dict[str, Any] = {}


def _openvino(cache: Path | None, card: bool) -> dict[str, Any]:
    """Full precision, also on a graphics card, which would round to half of it: the answers must be the same."""
    device = {"device_type": "GPU" if card else "CPU", "precision": "FP32", "num_of_threads": "1"}
    return {**device, **({"cache_dir": str(cache / "openvino")} if cache else {})}


def _cuda() -> dict[str, Any]:
    """No TF32, which rounds to ten bits, and no search for the fastest kernel, which takes seconds at each start."""
    return {
        "device_id": "0",
        "gpu_mem_limit": str(MOST_GPU_BYTES),
        "arena_extend_strategy": "kSameAsRequested",
        "cudnn_conv_algo_search": "HEURISTIC",
        "use_tf32": "0",
    }


def _tensorrt(cache: Path | None) -> dict[str, Any]:
    """What it compiles is kept: that takes a minute, and a camera would be blind for as long at each start."""
    plain = {
        "device_id": "0",
        "trt_max_workspace_size": str(MOST_GPU_BYTES),
        "trt_fp16_enable": "0",
        "trt_int8_enable": "0",
    }
    if cache is None:
        return plain
    kept = {"trt_engine_cache_enable": "1", "trt_timing_cache_enable": "1"}
    folder = str(cache / "tensorrt")
    return {**plain, **kept, "trt_engine_cache_path": folder, "trt_timing_cache_path": folder}
