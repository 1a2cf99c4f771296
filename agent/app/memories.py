"""Saves what the rules remember, a part of it every second and all within a minute, and takes it up at the start."""

from __future__ import annotations

import asyncio
import math
import sqlite3
import time
from collections.abc import Mapping

import structlog

from agent.core.remembered import Remembered
from agent.journal import Journal
from agent.pipeline import Pipeline
from rules.engine import Engine
from rules.memories import recall, remembered
from rules.slot import Slot

log = structlog.get_logger(__name__)

ROUND_S = 60
"""Within so many seconds everything is saved once."""
BUDGET_S = 0.002
"""No more time than that is taken from the samples at once, but for the last of its rules."""
_LIMIT_S = 2.0
"""How long the disk may take."""


class Memories:
    """Used from the event loop only; the disk is the journal's thread's."""

    def __init__(self, pipeline: Pipeline, journal: Journal) -> None:
        self._pipeline, self._journal = pipeline, journal
        self._waiting: list[str] = []
        self._share = 1
        self._told: set[str] = set()

    async def restore(self) -> None:
        """Take up what was saved; without it the rules begin afresh, which delays nothing."""
        try:
            async with asyncio.timeout(_LIMIT_S):
                saved = await self._journal.memories()
        except (sqlite3.Error, TimeoutError) as error:
            log.error("what the rules remembered is not restored", reason=str(error) or "the disk does not answer")
            return
        for rule, reason in recall(self._slots(), saved):
            log.warning("what a rule remembered cannot be used; it begins afresh", rule=rule, reason=reason)

    async def run(self) -> None:
        """Save a share each second until cancelled."""
        while True:
            await asyncio.sleep(1.0)
            self.save_share()

    def save_share(self) -> None:
        """Save the next few; all of them have had their turn after a minute, or a little later if they are slow."""
        slots = self._slots()
        if not self._waiting:
            self._waiting = [id_ for id_, slot in slots.items() if slot.memory is not None]
            self._share = math.ceil(len(self._waiting) / ROUND_S)
        ends_s, rows = time.perf_counter() + BUDGET_S, list[Remembered]()
        for _ in range(min(self._share, len(self._waiting))):
            rows += self._save(self._waiting.pop(), slots)
            if time.perf_counter() > ends_s:
                break
        if rows:
            self._journal.remember(rows)

    async def save_all(self) -> None:
        """Save everything, at the end; wait for the disk, but not for ever."""
        slots = self._slots()
        self._journal.remember([row for id_ in slots for row in self._save(id_, slots)])
        try:
            async with asyncio.timeout(_LIMIT_S):
                await self._journal.settled()
        except (sqlite3.Error, TimeoutError) as error:
            log.warning("what the rules remember was not saved", reason=str(error) or "the disk does not answer")

    def _save(self, id_: str, slots: Mapping[str, Slot]) -> list[Remembered]:
        slot = slots.get(id_)
        try:
            row = remembered(slot) if slot is not None else None
        except ValueError as error:
            if id_ not in self._told:
                log.error("what a rule remembers cannot be saved", rule=id_, reason=str(error))
            self._told.add(id_)
            return []
        return [row] if row is not None else []

    def _slots(self) -> Mapping[str, Slot]:
        engine = self._pipeline.engine
        assert isinstance(engine, Engine)  # the pipeline knows it by its protocol
        return engine.slots
