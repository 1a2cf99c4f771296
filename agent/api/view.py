"""What the local API tells, as JSON; and what it needs of the agent. Times are ISO 8601 in UTC, ages in seconds."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from typing import TYPE_CHECKING, Any, Protocol, TypedDict

from agent.api.rulesets import RulesRow, RulesView
from agent.core.model import Operator, Value
from agent.reports import EscalationRow, HazardRow, RemovalRow

if TYPE_CHECKING:
    from agent.api.cameras import CamerasView
    from agent.api.evidence import EvidenceView
    from agent.api.explaining import ExplainingView
    from agent.api.modelsets import ModelsView
    from agent.api.operations import OperationsView
    from agent.api.trials import Trials


class GatewayRow(TypedDict):
    """Who answers."""

    id: str
    site: str
    area: str
    language: str
    version: str


class AlarmCounts(TypedDict):
    """How many alarms are active, and how many wait for somebody."""

    active: int
    unacknowledged: int
    by_priority: dict[str, int]


class DeviceRow(TypedDict):
    """``state`` is connecting, online or offline."""

    id: str
    protocol: str
    state: str
    since: str
    reason: str
    points: int
    bad_points: int


class CameraRow(DeviceRow):
    """A device that sees; fps are pictures judged in a second: achieved, asked for, and granted by the budget."""

    fps: Value
    fps_asked: Value
    fps_granted: Value
    camera_ok: Value


class OutputRow(TypedDict):
    """``wanted`` and ``seen`` are levels; ``seen`` is null while it cannot be read back."""

    id: str
    kind: str
    wanted: str
    seen: str | None
    confirmed: bool
    confirmed_age_s: float | None
    reason: str
    testing: bool


class JournalRow(TypedDict):
    """``failed`` tells why events do not reach the disk, or is empty.

    ``autonomy_h`` is for how many hours there is room while nothing is sent.
    """

    events: int
    pending: dict[str, int]
    bytes: int
    in_memory: int
    failed: str
    autonomy_h: float


class ConnectionRow(TypedDict):
    """``state`` is online or offline, ``since`` that moment (UTC, ISO); ``reason`` tells why."""

    state: str
    broker: str
    since: str
    reason: str
    sent: int


class UplinkRow(ConnectionRow):
    """``preferred`` is false at another broker than the first."""

    in_flight: int
    nobody_listens: bool
    preferred: bool


class SparkplugRow(ConnectionRow):
    """The edge node; ``kept`` changes wait to be told."""

    kept: int


class Status(TypedDict):
    """The whole at a glance."""

    gateway: GatewayRow
    started_at: str
    uptime_s: float
    loop_lag_ms: float
    alarms: AlarmCounts
    devices: list[DeviceRow]
    cameras: list[CameraRow]
    outputs: list[OutputRow]
    journal: JournalRow
    uplink: UplinkRow | None
    sparkplug: SparkplugRow | None
    rules: RulesRow


class PointRow(TypedDict):
    """One point; ``age_s`` since its last sample, null when it was never read."""

    id: str
    value: Value
    unit: str
    quality: str
    age_s: float | None
    source_time: str | None
    reason: str | None
    zone: str
    description: str


class AlarmRow(TypedDict):
    """One alarm: what it means, and where it stands.

    ``muted``: in a flood the summary alarm stands for it. ``unknown``: the inputs that freeze it, and why.
    ``longest_shelf_s`` is 0 when it may not be shelved. ``off_delay_s`` is as chatter has stretched it.
    """

    id: str
    kind: str
    name: dict[str, str]
    priority: str
    state: str
    active: bool
    silenced: bool
    degraded: bool
    latched: bool
    value: Value
    unit: str
    limit: float | None
    condition: str
    raised_at: str | None
    cleared_at: str | None
    acknowledged_at: str | None
    acknowledged_by: str
    note: str
    occurrence: str
    count: int
    consequence: dict[str, str]
    response: dict[str, str]
    post: str
    zone: str
    inputs: list[str]
    rule: str
    group: str
    parents: list[str]
    labels: dict[str, str]
    first_out: bool
    chattering: bool
    off_delay_s: float
    muted: bool
    unknown: list[str]
    escalation: EscalationRow | None
    shelved: RemovalRow | None
    suppressed: RemovalRow | None
    out_of_service: RemovalRow | None
    hazard: HazardRow | None
    longest_shelf_s: float
    ack_needs_reason: bool


class GatewayView(Protocol):
    """The agent as the API sees it. KeyError means that there is no such alarm, output or camera.

    NotAllowed means that the site does not permit it; its text says what would be right.
    """

    @property
    def trials(self) -> Trials:
        """Tests that prove that sirens sound."""

    @property
    def operations(self) -> OperationsView:
        """What people do beside acknowledging."""

    @property
    def cameras(self) -> CamerasView:
        """What people do with cameras."""

    @property
    def explainer(self) -> ExplainingView:
        """Who says why an alarm is raised, or not."""

    @property
    def evidence(self) -> EvidenceView:
        """Pictures and clips of alarms."""

    @property
    def rules(self) -> RulesView:
        """The rule sets."""

    @property
    def models(self) -> ModelsView:
        """The cameras' models."""

    def status(self) -> Status:
        """Return the whole at a glance."""

    def points(self) -> list[PointRow]:
        """Return every point."""

    def alarms(self, everything: bool) -> list[AlarmRow]:
        """Return the alarms that are not normal, most urgent first; with ``everything`` all."""

    async def events(self, limit: int, after: int | None, lane: str | None) -> list[dict[str, Any]]:
        """Return journalled envelopes, oldest first. Raises sqlite3.Error while the disk fails."""

    def stream(self) -> AsyncIterator[dict[str, Any]]:
        """Yield each envelope as it is committed; a reader that is too slow misses some."""

    def picture(self, camera: str) -> bytes | None:
        """Return the newest annotated JPEG of a camera."""

    async def settle(self) -> None:
        """Wait, a second at most, until what was done is on the disk."""

    def acknowledge(self, alarm: str, operator: Operator) -> bool:
        """Acknowledge; False when there was nothing to acknowledge."""

    def silence(self, alarm: str | None, operator: Operator) -> int:
        """Silence one alarm or all that sound; return how many."""

    def test_outputs(self, seconds: float, outputs: Collection[str] | None, operator: Operator) -> None:
        """Switch outputs on for a while."""
