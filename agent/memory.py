"""Gives memory back that was needed only to start."""

from __future__ import annotations

import asyncio
import ctypes
import gc

_AFTER_START_S = 3.0
_COLLECT_AFTER = 50_000
"""New objects between two rounds of the garbage collector. Samples come by ten thousands and hold no cycles."""
_THEN_EVERY_S = 600.0


def calm_collector() -> None:
    """Let the garbage collector run less often; the default would double the cost of a sample."""
    gc.set_threshold(_COLLECT_AFTER, 10, 10)


async def tidy() -> None:
    """Run for ever: shortly after the start, and then now and again.

    Loading the libraries frees some 40 MB that glibc keeps for itself; what was loaded is also taken
    out of the garbage collector's rounds, which are then shorter.
    """
    calm_collector()
    await asyncio.sleep(_AFTER_START_S)
    gc.collect()
    gc.freeze()
    while True:
        _trim()
        await asyncio.sleep(_THEN_EVERY_S)


def _trim() -> None:
    try:
        ctypes.CDLL("libc.so.6").malloc_trim(0)
    except (OSError, AttributeError):
        return  # another C library; it is only a courtesy
