"""Tries a bundle in a process of its own before it counts: is it whole, does it load, does it answer as it must.

``python -m models.rehearsal FOLDER`` prints one JSON line. ``rehearse`` is the one place that the agent calls.
"""

from __future__ import annotations

import asyncio
import json
import resource
import sys
import time
from dataclasses import dataclass
from pathlib import Path

LIMIT_S = 40.0
_MOST_MEMORY = 3 << 30
"""Octets of address space: a model that wants more is a bomb."""
_ROOT = Path(__file__).parent.parent


@dataclass(frozen=True)
class Rehearsal:
    """``fault`` is empty for a bundle that is fit; ``look_ms`` is what a golden picture took."""

    fault: str = ""
    look_ms: float = 0.0


async def rehearse(folder: Path, limit_s: float = LIMIT_S) -> Rehearsal:
    """Try the bundle in ``folder``. Never raises for what is in it."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "models.rehearsal", str(folder)),
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
        return Rehearsal(look_ms=json.loads(told.splitlines()[-1])["look_ms"])
    return Rehearsal(words.decode(errors="replace").strip()[-2000:] or f"it ended with status {process.returncode}")


def main() -> None:
    """Load the bundle and run its golden cases; end with the reason when it is not fit."""
    resource.setrlimit(resource.RLIMIT_AS, (_MOST_MEMORY, _MOST_MEMORY))
    from models.bundle import load_bundle  # the limit comes before the libraries
    from models.inference import Vision, golden_faults

    bundle = load_bundle(Path(sys.argv[1]))
    vision = Vision(bundle)
    faults = golden_faults(bundle, vision)
    if faults:
        sys.exit(f"it does not give its golden answers: {'; '.join(faults)}")
    began_s = time.monotonic()
    golden_faults(bundle, vision)
    took_ms = (time.monotonic() - began_s) * 1000 / len(bundle.manifest.golden)
    sys.stdout.write(json.dumps({"look_ms": round(took_ms, 1)}) + "\n")


if __name__ == "__main__":
    main()
