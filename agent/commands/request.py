"""A command as it arrives: read, and checked in itself. Pure."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import date
from enum import StrEnum
from typing import Any, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, model_validator

from agent.core.hazard import Handling
from agent.journal.envelope import encode

LARGEST = 16 * 1024
"""Bytes of a command."""


class Command(StrEnum):
    """What may be asked for."""

    ACKNOWLEDGE = "acknowledge"
    SILENCE = "silence"
    SHELVE = "shelve"
    UNSHELVE = "unshelve"
    SNAPSHOT = "snapshot"
    CLIP = "clip"
    EVIDENCE = "evidence"
    REVISION = "revision"
    HAZARD = "hazard"
    OFFER = "offer"
    WITHDRAW = "withdraw"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Request(_Strict):
    """Who asks for what, until when. ``nonce`` is new with every command, also with one that is asked for twice."""

    id: str = Field(min_length=1, max_length=64, pattern=r"^[\w.:-]+$")
    gateway: str = Field(description="its id: what was meant for one gateway is not done by another")
    command: Command
    role: str = Field(min_length=1, max_length=40)
    operator: str = Field(min_length=1, max_length=80)
    nonce: str = Field(min_length=8, max_length=64)
    expires: AwareDatetime
    note: str = Field(default="", max_length=500)
    arguments: dict[str, Any] = Field(default_factory=dict)
    signature: str = ""


class OfAlarm(_Strict):
    """Arguments of acknowledge and unshelve."""

    alarm: str


class OfSilence(_Strict):
    """Without an alarm all that sound are meant."""

    alarm: str | None = None


class OfShelf(OfAlarm):
    """For how long."""

    seconds: float = Field(gt=0)


class OfCamera(_Strict):
    """Arguments of snapshot and clip."""

    camera: str


class OfEvidence(_Strict):
    """Which file, by the id that its ``evidence`` event has."""

    evidence: str


class OfHazard(OfAlarm):
    """How far the centre is with the hazard that an occurrence of an alarm made known; all of it each time."""

    occurrence: str = Field(min_length=1, max_length=64)
    hazard: str = Field(min_length=1, max_length=64)
    status: Handling
    level: Literal["", "general", "major"] = ""
    measures: str = Field(default="", max_length=500)
    responsible: str = Field(default="", max_length=80)
    deadline: date | None = None
    supervised: bool = False
    reason: str = Field(default="", max_length=500)

    @model_validator(mode="after")
    def _says_why(self) -> Self:
        if self.status is Handling.REJECTED and not self.reason:
            raise ValueError("rejected needs a 'reason': what is still wrong")
        return self


class OfOffer(OfCamera):
    """A model bundle for a camera; ``sha256`` is of its manifest."""

    name: str = Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_-]*$", max_length=64)
    version: str = Field(pattern=r"^\d+\.\d+\.\d+$", max_length=32)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    url: str = Field(default="", max_length=1000)
    mode: Literal["activate", "shadow"] = "activate"
    seconds: float = Field(default=600.0, ge=1, le=86400, description="for how long it is shadowed")


class OfNothing(_Strict):
    """No arguments."""


ARGUMENTS: Mapping[Command, type[_Strict]] = {
    Command.ACKNOWLEDGE: OfAlarm,
    Command.SILENCE: OfSilence,
    Command.SHELVE: OfShelf,
    Command.UNSHELVE: OfAlarm,
    Command.SNAPSHOT: OfCamera,
    Command.CLIP: OfCamera,
    Command.EVIDENCE: OfEvidence,
    Command.REVISION: OfNothing,
    Command.HAZARD: OfHazard,
    Command.OFFER: OfOffer,
    Command.WITHDRAW: OfCamera,
}


class Rejected(Exception):  # noqa: N818 - an answer, not a fault of ours
    """A command that is not done; the text says why, and ``id`` whose it is, as far as that can be read."""

    def __init__(self, reason: str, id_: str = "") -> None:
        super().__init__(reason)
        self.id = id_


def read(body: bytes) -> tuple[Request, bytes]:
    """Return a command, and what its signature is over. Raises Rejected."""
    if len(body) > LARGEST:
        raise Rejected(f"a command has {LARGEST} bytes at most, this one has {len(body)}")
    try:
        data = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Rejected(f"not JSON: {error}") from error
    if not isinstance(data, dict):
        raise Rejected("a command is a JSON object")
    try:
        request = Request.model_validate(data)
    except ValidationError as error:
        raise Rejected(in_words(error), data["id"] if isinstance(data.get("id"), str) else "") from error
    return request, encode({name: value for name, value in data.items() if name != "signature"})


def sign(key: str, signed: bytes) -> str:
    """Return the signature: HMAC-SHA256 in hex."""
    return hmac.new(key.encode(), signed, hashlib.sha256).hexdigest()


def in_words(error: ValidationError) -> str:
    """Return every fault in one line."""
    return "; ".join(
        f"{'.'.join(map(str, each['loc'])) or 'arguments'}: {each['msg'].removeprefix('Value error, ')}"
        for each in error.errors()
    )
