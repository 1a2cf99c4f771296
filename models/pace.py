"""How often something is done. Worker only."""

from __future__ import annotations

import time


class Pace:
    """Lets one step of time pass between two pictures; one that was late is not made up for."""

    def __init__(self, step_s: float) -> None:
        self._step_s, self._due_s = step_s, time.monotonic()

    def wait(self) -> None:
        """Sleep until the next one is due."""
        self._due_s = max(self._due_s + self._step_s, time.monotonic() - self._step_s)
        time.sleep(max(0.0, self._due_s - time.monotonic()))
