"""The kinds of events, the lane of each, and the envelope that all have in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple, NotRequired

from typing_extensions import TypedDict

from agent.core.model import Lane
from agent.schema import data


class Envelope(TypedDict):
    """CloudEvents 1.0 in JSON. ``seq`` is gap-free within the lane of a gateway; duplicates have the same ``id``."""

    specversion: Literal["1.0"]
    id: str
    source: str
    type: str
    subject: str
    time: str
    datacontenttype: str
    gateway: str
    site: str
    area: str
    zone: str
    bootid: str
    monons: int
    clock: Literal["synced", "unsynced"]
    lane: Lane
    seq: int
    test: bool
    swversion: str
    configrev: str
    rulesrev: str
    prevhash: str


class FilePart(TypedDict):
    """A part of a file, in ``data_base64``; where it is missing or altered, ``datafault`` says so."""

    evidenceid: str
    sha256: str
    wholebytes: int
    index: int
    count: int
    data_base64: NotRequired[str]
    datafault: NotRequired[str]


class Kind(NamedTuple):
    """One kind: ``data`` is the type of its data; None for a part of a file, which has attributes of its own."""

    lane: Lane
    data: type[Any] | None


KINDS: Mapping[str, Kind] = {
    "alarm.transition": Kind(Lane.ALARM, data.AlarmTransition),
    "flood": Kind(Lane.ALARM, data.Flood),
    "loss": Kind(Lane.ALARM, data.Loss),
    "command": Kind(Lane.STATE, data.CommandData),
    "coverage": Kind(Lane.STATE, data.Coverage),
    "device.state": Kind(Lane.STATE, data.DeviceState),
    "gateway.state": Kind(Lane.STATE, data.GatewayState),
    "kpi": Kind(Lane.STATE, data.Report),
    "model.change": Kind(Lane.STATE, data.ModelChange),
    "model.offer": Kind(Lane.STATE, data.ModelOffer),
    "operator.action": Kind(Lane.STATE, data.OperatorAction),
    "output.state": Kind(Lane.STATE, data.OutputState),
    "proof.result": Kind(Lane.STATE, data.ProofResult),
    "rules.change": Kind(Lane.STATE, data.RulesChange),
    "test.confirmed": Kind(Lane.STATE, data.TestConfirmed),
    "test.result": Kind(Lane.STATE, data.TestResult),
    "evidence": Kind(Lane.EVIDENCE, data.EvidenceData),
    "evidence.expired": Kind(Lane.EVIDENCE, data.EvidenceExpired),
    "evidence.file": Kind(Lane.EVIDENCE, None),
}
