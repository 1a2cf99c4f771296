"""What the centre says of its own store: up to where it has each lane, and from where it wants it once more."""

from __future__ import annotations

import structlog
from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, PositiveInt, ValidationError

from agent.core.model import Lane
from agent.core.ports import Clock
from agent.journal import Journal
from agent.reports import gateway_event
from agent.uplink.link import Message

log = structlog.get_logger(__name__)


class Confirmation(BaseModel):
    """A message on ``…/ack``: numbers (``seq``) by lane.

    ``acked_through``: the centre has this event and all before it on its disk. ``replay_from``: it wants
    this event and all behind it once more.
    """

    model_config = ConfigDict(extra="forbid")
    acked_through: dict[Lane, NonNegativeInt] = Field(default_factory=dict)
    replay_from: dict[Lane, PositiveInt] = Field(default_factory=dict)


class Watermark:
    """Notes what is confirmed, and begins replays. What makes no sense is logged, once, and changes nothing."""

    def __init__(self, journal: Journal, clock: Clock) -> None:
        self._journal, self._clock = journal, clock
        self._told = ""
        self._known: dict[str, int] = {}

    async def take(self, message: Message) -> None:
        """Do what a message says. Raises sqlite3.Error."""
        try:
            found = Confirmation.model_validate_json(message.body)
        except ValidationError as error:
            first = error.errors()[0]
            self._tell(f"{'.'.join(map(str, first['loc'])) or 'the message'}: {first['msg']}")
            return
        stored = {str(lane): number for lane, number in found.acked_through.items()}
        news = {lane: number for lane, number in stored.items() if number != self._known.get(lane)}
        if news:
            strange = await self._journal.confirm(news)
            self._tell("; ".join(strange))
            self._known |= {} if strange else news
        if found.replay_from and message.retained:
            self._tell("a retained 'replay_from' would be asked for at each connection; publish it without retain")
            return
        for lane, first_seq in found.replay_from.items():
            await self._replay(str(lane), first_seq)

    async def _replay(self, lane: str, first: int) -> None:
        found = await self._journal.replay(lane, first)
        details = {"lane": lane, "asked_from": first, "first": found.first, "last": found.last}
        counts = {"count": found.count, "missing": found.missing}
        log.info("replay", **details, **counts)
        self._journal.record([gateway_event("replay", {**details, **counts}, self._clock.now())], ())

    def _tell(self, fault: str) -> None:
        if fault and fault != self._told:
            log.warning("what the centre confirms makes no sense", reason=fault)
        self._told = fault
