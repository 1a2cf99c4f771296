"""Evidence with a real journal and folder, and a camera that writes what it is told."""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from agent.core.clock import SystemClock
from agent.core.errors import NotConnected
from agent.core.model import AlarmDefinition, EventDraft, Lane, Priority
from agent.core.ports import EvidenceFile
from agent.evidence import Evidence, EvidenceOptions
from agent.evidence.store import EvidenceStore
from agent.journal import Identity, Journal
from models.options import HEALTH

WHO = Identity("gw", "works", "hall", "0.1")
KINDS = {"snapshot": "jpg", "annotated": "jpg", "original": "jpg", "original-clip": "mp4", "clip": "mp4"}


class FakeCamera:
    """Implements ``Witness``: files of ``octets`` bytes; ``fails`` after so many of them."""

    def __init__(self, octets: int = 1000, fails: int | None = None) -> None:
        self.octets, self.fails = octets, fails

    async def keep(self, order: str, folder: str, at_s: float) -> AsyncIterator[EvidenceFile]:
        for index, (kind, end) in enumerate(KINDS.items()):
            if index == self.fails:
                raise NotConnected("the vision worker was killed by signal 9")
            content = f"{order} {kind} ".encode() * (self.octets // 8)
            content = content[: self.octets]
            (Path(folder) / f"{kind}.{end}").write_bytes(content)
            digest, media = hashlib.sha256(content).hexdigest(), "image/jpeg" if end == "jpg" else "video/mp4"
            yield EvidenceFile(kind, f"{kind}.{end}", media, len(content), digest, at_s, blurred="orig" not in kind)


class Rig:
    """``raise_alarm`` journals as the pipeline does."""

    def __init__(self, folder: Path, camera: FakeCamera | None = None, **options: Any) -> None:
        self.clock, self.folder = SystemClock(), folder / "evidence"
        self.journal = Journal(folder / "journal.db", WHO, self.clock)
        names = {"bare": ("gate.yard.no_helmet",), "gas": ("boiler.gas",), "blind": ("gate.online", "gate.camera_ok")}
        self.definitions = {
            id_: AlarmDefinition(id_, "condition", Priority.P2, {"en": id_}, inputs, "")
            for id_, inputs in names.items()
        }
        self.definitions["asked"] = AlarmDefinition(
            "asked", "condition", Priority.P1, {"en": "asked"}, ("boiler.gas",), "", evidence=("gate",)
        )
        store, settings = EvidenceStore(self.folder), EvidenceOptions(free_mb=0, **options)
        cameras = {"gate": camera or FakeCamera()}
        self.evidence = Evidence(store, settings, cameras, lambda: self.definitions, self.journal, self.clock, HEALTH)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        with self.journal:
            task = asyncio.create_task(self.evidence.run())
            try:
                yield
            finally:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

    def raise_alarm(self, alarm: str = "bare", priority: int = 2) -> None:
        data = {"alarm_id": alarm, "occurrence_id": f"{alarm}-o", "action": "raised", "priority": priority}
        self.journal.record([EventDraft("alarm.transition", Lane.ALARM, alarm, data, self.clock.now())], ())

    async def events(self, kind: str) -> list[dict[str, Any]]:
        await self.journal.settled()
        return [event for event in await self.journal.events(1000) if event["type"] == f"anshao.{kind}.v1"]

    async def until(self, kind: str, count: int, limit_s: float = 5.0) -> list[dict[str, Any]]:
        """Wait until there are so many events of a kind."""
        until_s = time.monotonic() + limit_s
        while len(found := await self.events(kind)) < count:
            assert time.monotonic() < until_s, f"{len(found)} of {count} {kind}: {json.dumps(found)[:2000]}"
            await asyncio.sleep(0.01)
        return found

    async def closed(self, count: int = 1) -> None:
        """Wait until so many orders are done."""
        async with asyncio.timeout(5.0):
            while len(list(self.folder.glob("*/order.json"))) < count or any(
                json.loads(path.read_text())["open"] for path in self.folder.glob("*/order.json")
            ):
                await asyncio.sleep(0.01)
