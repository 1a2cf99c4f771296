"""A fault is one when it has lasted. Pure; time is an argument."""

from __future__ import annotations


class Hold:
    """On after ``on_s`` of True without a break, off after ``off_s`` of False; monotonic seconds."""

    def __init__(self, on_s: float, off_s: float = 0.0, is_on: bool = False) -> None:
        self._on_s, self._off_s = on_s, off_s
        self.is_on = is_on
        self._since_s: float | None = None

    def see(self, raw: bool, now_s: float) -> bool:
        """Take up what was seen at ``now_s`` and return whether it is on."""
        if raw is self.is_on:
            self._since_s = None
            return self.is_on
        if self._since_s is None:
            self._since_s = now_s
        if now_s - self._since_s >= (self._off_s if self.is_on else self._on_s):
            self.is_on, self._since_s = raw, None
        return self.is_on
