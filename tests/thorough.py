"""How often a test of chance is repeated: often enough to find what is new, and in a campaign as often as planned."""

from __future__ import annotations

import os


def times(planned: int) -> int:
    """Return ``planned`` in ``make campaign``, and a third of it in ``make test``."""
    return planned if os.environ.get("THOROUGH") else planned // 3
