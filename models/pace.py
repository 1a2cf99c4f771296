"""How often something is done. Worker only."""

from __future__ import annotations

import threading
import time


class Pace:
    """Lets one step of time pass between two pictures; one that was late is not made up for."""

    def __init__(self, step_s: float) -> None:
        self._step_s, self._last_s = step_s, time.monotonic()
        self._changed = threading.Condition()

    def change(self, step_s: float) -> None:
        """Go at another pace at once, also while somebody waits; may be called from any thread."""
        with self._changed:
            self._step_s = step_s
            self._changed.notify()

    def wait(self) -> None:
        """Sleep until the next one is due."""
        with self._changed:
            while (due_s := self._due_s()) > time.monotonic():
                self._changed.wait(due_s - time.monotonic())
            self._last_s = due_s

    def _due_s(self) -> float:
        return max(self._last_s + self._step_s, time.monotonic() - self._step_s)
