"""How the uplink is, for people and for points."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class UplinkStatus:
    """``reason`` tells why it is offline, or why it waits while online. ``since`` is UTC.

    ``preferred`` is false while it is online at another end than the first of its list.
    """

    online: bool
    since: datetime
    broker: str = ""
    reason: str = ""
    sent: int = 0
    in_flight: int = 0
    nobody_listens: bool = False
    preferred: bool = True
