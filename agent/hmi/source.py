"""What the page knows of the agent: polled once for all browsers, with the moment it was heard."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp

PERIOD_S = 0.5
KPI_EVERY = 4
"""The figures are asked for at every fourth poll."""
STALE_AFTER_S = 3.0
"""Older than this is not shown as live any more."""


@dataclass
class Snapshot:
    """The last answers of the agent; ``heard_s`` is monotonic, 0 before the first; ``heard_at`` is for people."""

    status: dict[str, Any] = field(default_factory=dict)
    alarms: list[dict[str, Any]] = field(default_factory=list)
    points: list[dict[str, Any]] = field(default_factory=list)
    kpi: dict[str, Any] = field(default_factory=dict)
    heard_s: float = 0.0
    heard_at: datetime | None = None
    reason: str = ""

    def is_live(self, now_s: float) -> bool:
        """Tell whether the snapshot may be shown as the present."""
        return self.heard_s > 0 and now_s - self.heard_s < STALE_AFTER_S


class Source:
    """Polls the agent and passes on what people do."""

    def __init__(self, socket: Path) -> None:
        self.snapshot = Snapshot()
        self._socket = socket
        self._session: aiohttp.ClientSession | None = None
        self._polls = 0

    async def run(self) -> None:
        """Poll until cancelled; an agent that is away is asked again."""
        async with aiohttp.ClientSession(
            connector=aiohttp.UnixConnector(str(self._socket)), timeout=aiohttp.ClientTimeout(total=2.0)
        ) as session:
            self._session = session
            while True:
                await self._poll()
                await asyncio.sleep(PERIOD_S)

    async def picture(self, camera: str) -> bytes | None:
        """Return the newest picture of a camera, or None."""
        try:
            async with self._live().get(f"http://agent/v1/cameras/{camera}/picture") as response:
                return await response.read() if response.status == 200 else None
        except (aiohttp.ClientError, TimeoutError):
            return None

    async def evidence(self, occurrence: str) -> bytes | None:
        """Return the annotated picture of an alarm's occurrence, None where there is none."""
        try:
            rows = await self._get(f"evidence?occurrence={occurrence}")
            ids = [row["id"] for row in rows if row["kind"] == "annotated"]
            if not ids:
                return None
            async with self._live().get(f"http://agent/v1/evidence/{ids[-1]}") as response:
                return await response.read() if response.status == 200 else None
        except (aiohttp.ClientError, TimeoutError):
            return None

    async def act(self, alarm: str, what: str, operator: str, note: str = "", **more: object) -> str:
        """Acknowledge, shelve, unshelve …: return why not, or nothing."""
        return await self._post(f"alarms/{alarm}/{what}", operator=operator, via="hmi", note=note, **more)

    async def silence(self, operator: str) -> str:
        """Silence everything that sounds; return why not, or nothing."""
        return await self._post("silence", operator=operator, via="hmi")

    async def _poll(self) -> None:
        try:
            status, alarms, points = [await self._get(what) for what in ("status", "alarms", "points")]
            kpi = self.snapshot.kpi if self._polls % KPI_EVERY and self.snapshot.kpi else await self._get("kpi")
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            self.snapshot.reason = str(error) or "the agent does not answer"
            return
        self.snapshot = Snapshot(status, alarms, points, kpi, time.monotonic(), datetime.now(UTC))
        self._polls += 1

    async def _get(self, what: str) -> Any:
        async with self._live().get(f"http://agent/v1/{what}") as response:
            response.raise_for_status()
            return await response.json()

    async def _post(self, what: str, **body: object) -> str:
        try:
            async with self._live().post(f"http://agent/v1/{what}", json=body) as response:
                answer = await response.json()
        except (aiohttp.ClientError, TimeoutError) as error:
            return str(error) or "the agent does not answer"
        await self._poll()
        return str(answer["error"]) if response.status >= 400 else ""

    def _live(self) -> aiohttp.ClientSession:
        if self._session is None:
            raise aiohttp.ClientConnectionError("not yet polling")
        return self._session
