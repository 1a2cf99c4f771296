"""What outlives a restart of what rules learn."""

from __future__ import annotations

from typing import NamedTuple


class Remembered(NamedTuple):
    """What a rule's condition keeps of the past, as it is saved. ``body`` is JSON.

    ``fingerprint`` tells of which condition: to another one it means nothing.
    """

    rule: str
    fingerprint: str
    body: str
