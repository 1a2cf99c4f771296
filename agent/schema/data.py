"""The ``data`` of each kind of event, as docs/events.md explains it. Times are UTC in ISO form."""

from __future__ import annotations

from typing import Literal, NotRequired

from typing_extensions import TypedDict

from agent.api.operations import Report
from agent.commands.request import Command
from agent.core.model import Action, AlarmState, Level, Quality, Value
from agent.coverage import CoverageRow
from agent.evidence import ItemRow
from agent.offers import Step
from agent.reports import EscalationRow, HazardRow, RemovalRow

__all__ = ["Report"]
_Result = Literal["done", "refused"]


class Person(TypedDict):
    """Who did it, through what, and what they said."""

    name: str
    via: str
    note: str


class Input(TypedDict):
    """An input of an alarm at the transition; ``value`` is null exactly when ``quality`` is bad."""

    point: str
    value: Value
    quality: Quality
    reason: str | None
    source_time: NotRequired[str | None]
    received_at: NotRequired[str | None]
    evidence: NotRequired[str | None]


class DelaysRow(TypedDict):
    """Seconds; ``stretched`` by chatter."""

    on_s: float
    off_s: float
    stretched: bool


class AlarmTransition(TypedDict):
    """An alarm's state changed, or a person did something to it."""

    alarm_id: str
    occurrence_id: str
    action: Action
    from_state: AlarmState
    to_state: AlarmState
    active: bool
    priority: Literal[1, 2, 3, 4]
    condition: str
    kind: str
    name: dict[str, str]
    consequence: dict[str, str]
    response: dict[str, str]
    post: str
    value: Value
    unit: str
    limit: float | None
    delays: DelaysRow
    rule: str
    labels: dict[str, str]
    crew: str
    parents: list[str]
    group: str
    first_out: bool
    latched: bool
    chattering: bool
    escalation: EscalationRow | None
    shelved: RemovalRow | None
    suppressed: RemovalRow | None
    out_of_service: RemovalRow | None
    hazard: HazardRow | None
    silenced: bool
    count: int
    evaluation: Literal["ok", "degraded"]
    raised_at: str | None
    inputs: list[Input]
    operator: Person | None


class Flood(TypedDict):
    """A flood of alarms begins or ends; an empty zone is the whole area."""

    action: Literal["begins", "ends"]
    zone: str
    raised: int
    by_priority: dict[str, int]
    since: str
    duration_s: float


class Loss(TypedDict):
    """Something is missing, and this says what: ``first`` to ``last`` are numbers in the ``lane``."""

    scope: str
    count: int
    reason: str
    lane: NotRequired[str]
    first: NotRequired[int]
    last: NotRequired[int]
    journalseq: NotRequired[int]
    file: NotRequired[str]
    kind: NotRequired[str]
    subject: NotRequired[str]
    kinds: NotRequired[list[str]]
    ids: NotRequired[list[str]]
    alarm_id: NotRequired[str]
    occurrence_id: NotRequired[str]
    camera: NotRequired[str]
    first_at: NotRequired[str]
    last_at: NotRequired[str]


class DeviceState(TypedDict):
    """A device or camera was lost, or is back."""

    device_id: str
    online: bool
    reason: str


class OutputState(TypedDict):
    """What an output should show from now on."""

    output_id: str
    wanted: Level


class GatewayState(TypedDict):
    """Of the gateway's own life: started, stopping, alarms-removed, alarms-restored-late, replay."""

    action: str
    config: NotRequired[str]
    alarms: NotRequired[list[str]]
    lane: NotRequired[str]
    asked_from: NotRequired[int]
    first: NotRequired[int]
    last: NotRequired[int]
    count: NotRequired[int]
    missing: NotRequired[int]


class OperatorAction(TypedDict):
    """What a person or a Sparkplug host did that is no alarm's transition; ``write-point`` has a ``result``."""

    action: str
    operator: Person | None
    outputs: NotRequired[list[str]]
    seconds: NotRequired[float]
    camera: NotRequired[str]
    evidence: NotRequired[str]
    point: NotRequired[str]
    value: NotRequired[bool | int | float | str]
    result: NotRequired[Literal["ordered", "done", "refused", "unknown"]]
    reason: NotRequired[str]
    also_refused: NotRequired[int]
    messages: NotRequired[int]


class TestedOutput(TypedDict):
    """Was it seen on? ``latency_ms`` is null if it was not."""

    output: str
    confirmed: bool
    latency_ms: float | None
    reason: str


class TestResult(TypedDict):
    """A self-test of the outputs is over, or was missed."""

    passed: bool
    outputs: list[TestedOutput]
    test_id: NotRequired[str]
    operator: NotRequired[Person]
    reason: NotRequired[str]
    due: NotRequired[str]


class TestConfirmed(TypedDict):
    """What a person heard of a self-test."""

    test_id: str
    heard: bool
    operator: Person


class ProofResult(TypedDict):
    """A golden picture went the whole way to the sirens, or did not: ``reason``."""

    camera: str
    passed: bool
    picture: str
    alarm: str
    outputs: list[TestedOutput]
    legs_ms: dict[str, float]
    reason: str
    operator: Person
    facts: NotRequired[dict[str, Value]]


class Coverage(TypedDict):
    """How much of a shift was really watched."""

    is_over: bool
    until: str
    rules: list[CoverageRow]


class RulesChange(TypedDict):
    """Other rules run, or may not."""

    action: str
    revision: str
    previous: str
    lines: list[str]
    faults: list[str]
    reason: str
    kept: bool
    operator: Person


class ModelChange(TypedDict):
    """A camera's model was staged, shadowed, activated, confirmed, rolled back or rejected."""

    action: str
    camera: str
    model: str
    previous: str
    reason: str
    sha256: str
    operator: Person
    comparison: NotRequired[dict[str, object]]
    engine: NotRequired[str]
    older_than: NotRequired[str]


class ModelOffer(TypedDict):
    """How far a bundle is that the centre offered; ``offer`` is the id of its command."""

    offer: str
    camera: str
    model: str
    sha256: str
    mode: Literal["activate", "shadow"]
    step: Step
    reason: str
    url: str
    operator: Person


class EvidenceData(ItemRow):
    """A picture or clip is on the gateway's disk."""

    monons: int
    bootid: str


class EvidenceExpired(TypedDict):
    """The time of these files is over."""

    count: int
    ids: list[str]


class CommandAnswer(TypedDict):
    """The answer to a command."""

    id: str
    gateway: str
    result: _Result
    reason: str
    answer: dict[str, Value]
    at: str


class CommandData(TypedDict):
    """A command from above was done or refused; without ``command`` it was of nobody who is known."""

    id: str
    result: _Result
    reason: str
    command: NotRequired[Command]
    role: NotRequired[str]
    nonce: NotRequired[str]
    expires: NotRequired[str]
    arguments: NotRequired[dict[str, object]]
    operator: NotRequired[Person]
    digest: NotRequired[str]
    answer: NotRequired[CommandAnswer]
    via: NotRequired[str]
    unrecorded: NotRequired[int]
