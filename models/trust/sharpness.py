"""What is sharp for this camera, by day and by night, learnt from itself. Pure; time is an argument."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from models.trust.hold import Hold

EVERY_S = 60.0
HOLD_S = 60.0
LEAST = 10
"""Samples, one a minute, before anything is called blurred."""
_HOURS = 7 * 24
_HOUR = 60
_BLURRED, _SHARP = 0.35, 0.45


class SharpnessWatch:
    """Keeps an hourly median for a week, by day and by night; blurred is less than 35 % of the median of those."""

    def __init__(self, saved: Mapping[str, Sequence[float]] | None = None) -> None:
        self._hours: dict[str, list[float]] = {key: list(found) for key, found in (saved or {}).items()}
        self._latest: dict[str, list[float]] = {}
        self._sampled_s: float | None = None
        self._low = Hold(HOLD_S, 5.0)

    def is_blurred(self, sharpness: float, is_night: bool, now_s: float) -> bool:
        """Take up what a picture measured at ``now_s`` (monotonic seconds)."""
        light = "night" if is_night else "day"
        usual = self._usual(light)
        limit = (_SHARP if self._low.is_on else _BLURRED) * (usual or 0.0)
        blurred = self._low.see(sharpness < limit, now_s)
        if sharpness >= limit and (self._sampled_s is None or now_s - self._sampled_s >= EVERY_S):
            self._sampled_s = now_s
            self._learn(light, sharpness)
        return blurred

    def saved(self) -> dict[str, Any]:
        """Return what was learnt, for JSON."""
        return {light: self._hours.get(light, []) + self._recent(light) for light in ("day", "night")}

    def _usual(self, light: str) -> float | None:
        hours, latest = self._hours.get(light, []), self._latest.get(light, [])
        return median([*hours, *self._recent(light)]) if hours or len(latest) >= LEAST else None

    def _recent(self, light: str) -> list[float]:
        latest = self._latest.get(light, [])
        return [median(latest)] if len(latest) >= LEAST else []

    def _learn(self, light: str, sharpness: float) -> None:
        latest = self._latest.setdefault(light, [])
        latest.append(sharpness)
        if len(latest) >= _HOUR:
            self._hours[light] = [*self._hours.get(light, []), median(latest)][-_HOURS:]
            latest.clear()
