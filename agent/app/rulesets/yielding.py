"""Heavy work in a thread beside the event loop, on one interpreter: samples go first."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager

_SWITCH_S = 0.0005
"""How long the thread may keep the interpreter while a sample waits."""


@contextmanager
def yielding() -> Iterator[None]:
    """Let samples go first; a round of the garbage collector over all that is read here would stop them.

    One at a time: the keeper's lock sees to that.
    """
    before_s = sys.getswitchinterval()
    sys.setswitchinterval(_SWITCH_S)
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        sys.setswitchinterval(before_s)
