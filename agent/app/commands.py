"""What commands from above do in this agent."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import suppress
from typing import Any

import structlog

from agent.app.gateway import Gateway
from agent.app.modelsets.offers import Offers
from agent.app.parts import Parts
from agent.commands import Desk
from agent.core.errors import NotAllowed
from agent.core.hazard import Hazard
from agent.core.model import Alarm, AlarmDefinition, Lane, Operator, Value
from agent.evidence import Evidence
from agent.offers import Offer
from agent.version import VERSION

log = structlog.get_logger(__name__)
_PAGE = 1000
_LONGEST_S = 1.0
_LOOK_BACK = 20_000
"""Events of the lane in which earlier commands are looked for: those of the last minutes, at the least."""


class Remote:
    """Implements ``agent.commands.Acting``."""

    def __init__(self, gateway: Gateway, parts: Parts, evidence: Evidence, offers: Offers | None) -> None:
        self._gateway, self._parts, self._evidence, self._offers = gateway, parts, evidence, offers

    def definition(self, alarm: str) -> AlarmDefinition:
        """Return what an alarm is."""
        return self._parts.pipeline.engine.definitions[alarm]

    def standing(self) -> list[tuple[AlarmDefinition, Alarm]]:
        """Return the alarms that are not normal."""
        engine = self._parts.pipeline.engine
        return [(engine.definitions[id_], alarm) for id_, alarm in engine.standing.items()]

    def acknowledge(self, alarm: str, operator: Operator) -> bool:
        """Acknowledge."""
        return self._gateway.acknowledge(alarm, operator)

    def silence(self, alarm: str, operator: Operator) -> int:
        """Silence one alarm."""
        return self._gateway.silence(alarm, operator)

    def shelve(self, alarm: str, seconds: float, operator: Operator) -> bool:
        """Put an alarm away for a while."""
        return self._gateway.operations.shelve(alarm, seconds, operator)

    def unshelve(self, alarm: str, operator: Operator) -> bool:
        """Take it off its shelf."""
        return self._gateway.operations.unshelve(alarm, operator)

    def request(self, camera: str, kind: str) -> str:
        """Take a picture or clip, and send it."""
        return self._evidence.request(camera, kind)

    def send(self, evidence: str) -> int:
        """Send a file of evidence."""
        return self._evidence.send(evidence)

    def tell_hazard(self, alarm: str, hazard: Hazard, operator: Operator) -> bool:
        """Keep what the centre says of an alarm's hazard."""
        return self._parts.pipeline.tell_hazard(alarm, hazard, operator)

    def offer(self, offer: Offer) -> dict[str, Value]:
        """Take a model bundle in hand that is offered."""
        return self._takes_offers().accept(offer)

    def withdraw(self, camera: str) -> dict[str, Value]:
        """Give an offer up that was not taken yet."""
        return self._takes_offers().withdraw(camera)

    def revisions(self) -> dict[str, str]:
        """Return what runs."""
        rules = self._gateway.rules.row()["revision"]
        return {"software": VERSION, "config": self._gateway.config_revision, "rules": rules}

    async def settle(self) -> None:
        """Wait until what was done is on the disk."""
        await self._gateway.settle()
        if self._offers is not None:
            with suppress(TimeoutError):
                async with asyncio.timeout(_LONGEST_S):
                    await self._offers.save()

    def _takes_offers(self) -> Offers:
        if self._offers is None:
            raise NotAllowed("this site takes no offers; write models: {trusted_keys: …, offers: …} in its site.yaml")
        return self._offers


async def recall(desk: Desk, parts: Parts) -> None:
    """Let a desk take up what an earlier process answered. A journal that fails leaves it without."""
    try:
        for event in await _commands(parts):
            desk.remember(event)
    except sqlite3.Error as error:
        log.error("earlier commands are not known", reason=str(error))


async def _commands(parts: Parts) -> list[dict[str, Any]]:
    after = max(0, parts.journal.last_seq - _LOOK_BACK)
    found: list[dict[str, Any]] = []
    while page := await parts.journal.events(_PAGE, after, str(Lane.STATE)):
        found += [event for event in page if event["type"] == "anshao.command.v1"]
        after = int(page[-1]["journalseq"])
    return found
