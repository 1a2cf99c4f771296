"""How long to wait before trying again."""

from __future__ import annotations

import random
from collections.abc import Iterator


def delays(first_s: float = 0.5, longest_s: float = 30.0, rng: random.Random | None = None) -> Iterator[float]:
    """Yield waits in seconds, doubling from ``first_s`` to ``longest_s``, each with up to a quarter less at random."""
    source = rng or random.Random()
    delay_s = first_s
    while True:
        yield delay_s * source.uniform(0.75, 1.0)
        delay_s = min(delay_s * 2, longest_s)
