"""What the demo knows from outside: the coils and lamps by the plant's word, the alarms by the daemon's events."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

NORMAL, UNACKNOWLEDGED, ACKNOWLEDGED = "normal", "unacknowledged", "acknowledged"


class World:
    """Latencies are in ms by the boiler's own clock."""

    def __init__(self) -> None:
        self.siren = False
        self.beacons = {"red": 0, "yellow": 0}
        self.latencies_ms: list[float] = []
        self.alarms: dict[str, str] = {}
        self.raised = 0
        self._news = asyncio.Event()

    def plant(self, message: dict[str, Any]) -> None:
        """Take what a plant process told."""
        match message:
            case {"event": "coil", "name": "siren", "on": on}:
                self.siren = on
            case {"event": "beacon", "name": name, "level": level}:
                self.beacons[name] = level
            case {"event": "siren", "latency_ms": latency_ms}:
                self.latencies_ms.append(latency_ms)
        self._news.set()

    def event(self, event: dict[str, Any]) -> None:
        """Take an event of the daemon."""
        if event["type"] == "anshao.alarm.transition.v1":
            self.alarms[event["data"]["alarm_id"]] = event["data"]["to_state"]
            self.raised += event["data"]["action"] == "raised"
        self._news.set()

    def state(self, alarm: str) -> str:
        """Return an alarm's state."""
        return self.alarms.get(alarm, NORMAL)

    def is_active(self, alarm: str) -> bool:
        """Tell whether an alarm stands, acknowledged or not."""
        return self.state(alarm) in (UNACKNOWLEDGED, ACKNOWLEDGED)

    async def until(self, condition: Callable[[], bool], limit_s: float) -> float | None:
        """Wait until ``condition`` holds; return the seconds it took, None when it did not come true in time."""
        start_s = time.monotonic()
        while not condition():
            left_s = limit_s - (time.monotonic() - start_s)
            if left_s <= 0:
                return None
            self._news.clear()
            try:
                async with asyncio.timeout(min(left_s, 0.1)):
                    await self._news.wait()
            except TimeoutError:
                continue
        return time.monotonic() - start_s
