"""The demo's own client of the daemon's local API; it sees what any other program on this machine may see."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from types import TracebackType
from typing import Any

import aiohttp

OPERATOR = "demo-operator"
_PAGE = 500
Unreachable = (aiohttp.ClientError, OSError, TimeoutError)
"""What a call raises when the daemon does not answer."""


class Api:
    """Calls over the Unix socket; use it as a context manager."""

    def __init__(self, socket: Path) -> None:
        self._session = aiohttp.ClientSession(
            "http://anshao",
            connector=aiohttp.UnixConnector(str(socket)),
            timeout=aiohttp.ClientTimeout(total=5),
            raise_for_status=True,
        )

    async def __aenter__(self) -> Api:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()

    async def get(self, path: str, **query: str | int) -> Any:
        """Return the answer to ``GET /v1/<path>``."""
        async with self._session.get(f"/v1/{path}", params=query) as answer:
            return await answer.json()

    async def alarms(self) -> dict[str, dict[str, Any]]:
        """Return every alarm by id."""
        return {alarm["id"]: alarm for alarm in await self.get("alarms", all=1)}

    async def events(self) -> list[dict[str, Any]]:
        """Return every event of the journal, the oldest first."""
        found: list[dict[str, Any]] = []
        while True:
            after = found[-1]["journalseq"] if found else 0
            page = await self.get("events", after=after, limit=_PAGE)
            found += page
            if len(page) < _PAGE:
                return found

    async def acknowledge(self, alarm: str) -> None:
        """Acknowledge as the demo's operator."""
        body = {"operator": OPERATOR, "via": "demo", "note": "seen in the demo"}
        async with self._session.post(f"/v1/alarms/{alarm}/acknowledge", json=body):
            return

    async def stream(self) -> AsyncIterator[dict[str, Any]]:
        """Yield each event as it is journalled, until the daemon ends."""
        forever = aiohttp.ClientTimeout(total=None)
        async with self._session.get("/v1/stream", timeout=forever) as answer:
            async for line in answer.content:
                if line.startswith(b"data:"):
                    yield json.loads(line[5:])
