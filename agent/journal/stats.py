"""How the journal is, and whether its thread gets on."""

from __future__ import annotations

import time
from dataclasses import dataclass

from agent.journal.autonomy import LONGEST_H

HANGS_AFTER_S = 5.0


@dataclass(frozen=True)
class JournalStats:
    """``failed`` tells why nothing reaches the disk now, or is empty.

    ``autonomy_h`` is for how many hours it can take everything in if nothing is sent, at the pace of the last hour.
    ``unconfirmed`` were sent, and the centre has not said that it has them; ``confirmed`` tells by
    lane how many, and up to which number it has the lane. None until the journal was opened.
    """

    events: int = 0
    pending: dict[str, int] | None = None
    bytes: int = 0
    in_memory: int = 0
    failed: str = ""
    autonomy_h: float = LONGEST_H
    unconfirmed: int = 0
    confirmed: dict[str, tuple[int, int]] | None = None


class Progress:
    """Whether the journal's thread gets on: a disk that neither answers nor fails holds it up, and it cannot tell.

    That thread calls ``begin`` before anything that may wait for the disk, and ``end``; anybody may ask.
    """

    def __init__(self) -> None:
        self._since_s: float | None = None

    def begin(self) -> None:
        """From now on the disk has to answer."""
        self._since_s = time.monotonic()

    def end(self) -> None:
        """It has answered."""
        self._since_s = None

    def hangs(self) -> str:
        """Return in words for how long the disk has not answered, or nothing."""
        since_s = self._since_s
        waits_s = time.monotonic() - since_s if since_s is not None else 0.0
        return f"the disk has not answered for {waits_s:.0f} s" if waits_s > HANGS_AFTER_S else ""
