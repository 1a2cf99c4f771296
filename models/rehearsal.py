"""Tries a bundle in a process of its own before it counts: is it whole, does it load, does it answer as it must.

``python -m models.rehearsal FOLDER`` prints one JSON line; with PROVIDER and CACHE it tries another provider than the
CPU. ``rehearse`` and ``try_provider`` are what the agent calls.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from models.engines import SAFE, Engine, Tried, tried_of
from models.providers import Provider

LIMIT_S = 40.0
PROVIDER_LIMIT_S = 120.0
"""TensorRT compiles a network for a minute when it meets it first."""
_MOST_MEMORY = 3 << 30
"""Octets of address space: a model that wants more is a bomb."""
_ROOT = Path(__file__).parent.parent
_NICE = 5


@dataclass(frozen=True)
class Rehearsal:
    """``fault`` is empty for a bundle that is fit; ``look_ms`` is what a golden picture took, ``tried`` how fast."""

    fault: str = ""
    look_ms: float = 0.0
    tried: tuple[Tried, ...] = ()


async def rehearse(folder: Path, limit_s: float = LIMIT_S) -> Rehearsal:
    """Try the bundle in ``folder`` on the CPU, in every precision that it has. Never raises for what is in it."""
    return await _run([str(folder)], limit_s)


async def try_provider(folder: Path, provider: Provider, cache: Path, limit_s: float = PROVIDER_LIMIT_S) -> Rehearsal:
    """Try a bundle that was rehearsed on another provider. Whatever a driver does costs the child only.

    It has no limit on its memory: a GPU's driver reserves address space by the hundred gigabytes.
    """
    done = await _run([str(folder), provider, str(cache)], limit_s)
    return done if not done.fault else Rehearsal(tried=(Tried(Engine(provider), fault=done.fault),))


async def _run(arguments: Sequence[str], limit_s: float) -> Rehearsal:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "models.rehearsal", *arguments),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=_ROOT,
    )
    try:
        async with asyncio.timeout(limit_s):
            told, words = await process.communicate()
    except TimeoutError:
        return Rehearsal(f"it was not ready within {limit_s:g} s")
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode == 0:
        answer = json.loads(told.splitlines()[-1])
        return Rehearsal(look_ms=answer["look_ms"], tried=tried_of(answer["tried"]))
    return Rehearsal(words.decode(errors="replace").strip()[-2000:] or f"it ended with status {process.returncode}")


def main() -> None:
    """Load the bundle, run its golden cases, compare engines; end with the reason when it is not fit."""
    folder, *more = sys.argv[1:]
    if not more:
        resource.setrlimit(resource.RLIMIT_AS, (_MOST_MEMORY, _MOST_MEMORY))
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    with suppress(PermissionError):
        os.nice(_NICE)
    import cv2  # the limit comes before the libraries

    from models.bundle import load_bundle
    from models.inference import Vision, golden_faults
    from models.likeness import compare

    cv2.setNumThreads(1)
    bundle = load_bundle(Path(folder))
    vision = Vision(bundle)
    faults = golden_faults(bundle, vision)
    if faults:
        sys.exit(f"it does not give its golden answers: {'; '.join(faults)}")
    cache = Path(more[1]) if more else None
    precisions = [each.precision for each in bundle.manifest.detector.variants]
    others = [Engine(Provider(more[0]))] if more else [Engine(precision=precision) for precision in precisions]
    tried = compare(bundle, vision, others, lambda engine: Vision(bundle, engine, cache))
    look_ms = next(each.look_ms for each in tried if each.engine == SAFE)
    sys.stdout.write(json.dumps({"look_ms": look_ms, "tried": [asdict(each) for each in tried]}) + "\n")


if __name__ == "__main__":
    main()
