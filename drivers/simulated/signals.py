"""The value of a simulated point at a time. Pure in (seed, point, time)."""

from __future__ import annotations

import math
import random

from agent.core.model import Value
from drivers.simulated.options import SimulatedPoint


def value_at(point: SimulatedPoint, name: str, seed: int, seconds: float) -> Value:
    """Return the raw value ``seconds`` after the start."""
    if point.signal == "steps":
        return point.levels[int(seconds // point.period) % len(point.levels)]
    if isinstance(point.value, bool | str) or (point.signal == "constant" and not point.noise):
        return point.value
    return point.value + point.amplitude * _shape(point, name, seed, seconds) + _noise(point, name, seed, seconds)


def _shape(point: SimulatedPoint, name: str, seed: int, seconds: float) -> float:
    """Return the signal's form, from -1 to 1; of a ramp and a square from 0 on."""
    phase = seconds / point.period % 1.0
    if point.signal == "sine":
        return math.sin(2 * math.pi * phase)
    if point.signal == "ramp":
        return phase
    if point.signal == "square":
        return 1.0 if phase < 0.5 else 0.0
    if point.signal == "random":
        return _random(name, seed, int(seconds // point.period)).uniform(-1, 1)
    return 0.0


def _noise(point: SimulatedPoint, name: str, seed: int, seconds: float) -> float:
    if not point.noise:
        return 0.0
    return _random(name, seed, round(seconds * 1000)).uniform(-point.noise, point.noise)


def _random(name: str, seed: int, moment: int) -> random.Random:
    return random.Random(f"{seed}/{name}/{moment}")
