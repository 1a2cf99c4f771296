"""The values that travel through anshao. All are immutable; time is always carried, never fetched."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import IntEnum, StrEnum
from functools import partial
from itertools import repeat
from typing import NamedTuple

from agent.core.hazard import Hazard

Value = bool | int | float | str | None
"""What a point can hold, in its engineering unit."""


class Instant(NamedTuple):
    """One moment on both clocks: ``mono_s`` decides, ``utc`` is a label for people."""

    mono_s: float
    utc: datetime


class Quality(StrEnum):
    """OPC UA severity of a value (Part 4, 7.39): the two top bits of its StatusCode."""

    GOOD = "good"
    UNCERTAIN = "uncertain"
    BAD = "bad"


class _SampleFields(NamedTuple):
    point: str
    value: Value
    quality: Quality
    received_at: datetime
    received_s: float
    source_time: datetime | None = None
    reason: str | None = None
    evidence: str | None = None


class Sample(_SampleFields):
    """One observation of one point.

    ``value`` is in the point's engineering unit and is None exactly when ``quality`` is BAD.
    ``received_s`` is monotonic seconds and used for durations; ``received_at`` is UTC, for people;
    ``source_time`` is what the device said, None where it says nothing. ``reason`` tells in words
    why the quality is not GOOD. ``evidence`` names what backs the value: of what a camera sees, the model
    that judged it.

    A tuple, because a hundred thousand of them may be made every second.
    """

    __slots__ = ()

    def __new__(
        cls,
        point: str,
        value: Value,
        quality: Quality,
        received_at: datetime,
        received_s: float,
        source_time: datetime | None = None,
        reason: str | None = None,
        evidence: str | None = None,
    ) -> Sample:
        """Raise ValueError unless ``value`` is None exactly when ``quality`` is BAD."""
        if (value is None) is not (quality is Quality.BAD):
            raise ValueError(f"{point}: value is None exactly when quality is BAD")
        return super().__new__(cls, point, value, quality, received_at, received_s, source_time, reason, evidence)

    @classmethod
    def good(cls, point: str, value: Value, now: Instant, source_time: datetime | None = None) -> Sample:
        """Return a GOOD sample taken at ``now``."""
        return cls(point, value, Quality.GOOD, now.utc, now.mono_s, source_time)

    @classmethod
    def good_batch(cls, points: Iterable[str], values: Iterable[Value], now: Instant) -> list[Sample]:
        """Return a GOOD sample for each point, all taken at ``now``; no value may be None (this is not checked)."""
        alike = (repeat(Quality.GOOD), repeat(now.utc), repeat(now.mono_s), repeat(None), repeat(None), repeat(None))
        return list(map(partial(tuple.__new__, cls), zip(points, values, *alike, strict=False)))

    @classmethod
    def bad(cls, point: str, reason: str, now: Instant, source_time: datetime | None = None) -> Sample:
        """Return a BAD sample without a value, and why."""
        return cls(point, None, Quality.BAD, now.utc, now.mono_s, source_time, reason)


@dataclass(frozen=True, slots=True)
class PointInfo:
    """What people and rules may know of a point without asking its device.

    ``stale_after_s``: with no sample for that long the point is unknown; None: never stale
    (an OPC UA item that reports by exception stays known while its session lives).
    """

    id: str
    unit: str = ""
    zone: str = ""
    description: str = ""
    writable: bool = False
    stale_after_s: float | None = None


class Priority(IntEnum):
    """Alarm priority; 1 is the most urgent."""

    P1 = 1
    P2 = 2
    P3 = 3
    P4 = 4


class AlarmState(StrEnum):
    """States of ISA-18.2 / IEC 62682. Latched and silenced are flags, not states."""

    NORMAL = "normal"
    UNACKNOWLEDGED = "unacknowledged"
    ACKNOWLEDGED = "acknowledged"
    RETURNED = "returned-unacknowledged"
    SHELVED = "shelved"
    SUPPRESSED = "suppressed-by-design"
    OUT_OF_SERVICE = "out-of-service"


class TimerKind(StrEnum):
    """Which delay is running."""

    ON = "on-delay"
    OFF = "off-delay"


@dataclass(frozen=True, slots=True)
class Timer:
    """A running delay. ``due_s`` is a monotonic deadline; None while unknown input freezes it.

    ``remaining_s`` is what was left when it last started or thawed.
    """

    kind: TimerKind
    remaining_s: float
    due_s: float | None


class Deadline(NamedTuple):
    """A moment to come. ``mono_s`` decides; ``utc`` is for people, and all that is left of it on another boot."""

    mono_s: float
    utc: datetime

    @classmethod
    def after(cls, seconds: float, now: Instant) -> Deadline:
        """Return the moment ``seconds`` from ``now``."""
        return cls(now.mono_s + seconds, now.utc + timedelta(seconds=seconds))


@dataclass(frozen=True, slots=True)
class Removal:
    """Why an alarm does not call anybody though it is still evaluated: shelved, suppressed or out of service.

    ``until`` is when it ends by itself, None if it does not. ``second`` is who else agreed.
    """

    reason: str
    by: str
    via: str
    since: datetime
    until: Deadline | None = None
    second: str = ""


@dataclass(frozen=True, slots=True)
class Escalation:
    """Whom to call when nobody has acknowledged ``after_s`` seconds after the alarm was raised."""

    after_s: float
    post: str
    outputs: tuple[str, ...] = ()
    """Outputs that join in from then on."""


@dataclass(frozen=True, slots=True)
class AlarmDefinition:
    """What an alarm means, to people and to outputs. ``name`` and the texts are by language: zh, en."""

    id: str
    kind: str
    priority: Priority
    name: Mapping[str, str]
    inputs: tuple[str, ...]
    condition: str
    consequence: Mapping[str, str] = field(default_factory=dict)
    response: Mapping[str, str] = field(default_factory=dict)
    post: str = ""
    zone: str = ""
    unit: str = ""
    limit: float | None = None
    latch: bool = False
    outputs: tuple[str, ...] | None = None
    """Names of the outputs that this alarm drives; None: every output that its priority's pattern uses."""
    group: str = ""
    """Alarms of one group: the first to be raised is marked as first-out."""
    escalation: tuple[Escalation, ...] = ()
    longest_shelf_s: float = 0.0
    """How long it may be shelved at most; 0: never."""
    parents: tuple[str, ...] = ()
    """Alarms that explain this one (its device is lost); while one of them stands, this one calls nobody."""
    labels: Mapping[str, str] = field(default_factory=dict)
    """For the centre: equipment, step, hazard_class, sop … as the rule file has them."""
    rule: str = ""
    """Id of the rule that it is part of."""
    evidence: tuple[str, ...] = ()
    """Cameras whose pictures are kept when it is raised, besides those that its inputs come from."""


@dataclass(frozen=True, slots=True)
class Alarm:
    """The live, persisted state of one alarm.

    ``process`` is where it stands for itself; ``state`` is what people see, with shelving and the like.
    ``exceeded`` is the condition with its hysteresis (deadband) before the delays: True, False or
    None (unknown). ``active`` is after the delays. ``value`` is the input at the last transition.
    """

    id: str
    process: AlarmState = AlarmState.NORMAL
    exceeded: bool | None = None
    active: bool = False
    timer: Timer | None = None
    silenced: bool = False
    occurrence: str = ""
    """UUID of the current or last occurrence."""
    count: int = 0
    value: Value = None
    raised_at: datetime | None = None
    cleared_at: datetime | None = None
    acknowledged_at: datetime | None = None
    acknowledged_by: str = ""
    note: str = ""
    degraded: bool = False
    """True while unknown input freezes this alarm's evaluation."""
    shelved: Removal | None = None
    suppressed: Removal | None = None
    suppression_spent: bool = False
    """The longest time of its suppression is over; it is not suppressed again before the reason has ended."""
    out_of_service: Removal | None = None
    superseded: bool = False
    """A more severe limit of the same rule stands for it."""
    called: Instant | None = None
    """When it last began to call: raised, raised again, or back from a shelf. The sound's phase counts from here."""
    re_alarm: Deadline | None = None
    """When an acknowledged alarm that stays active calls again."""
    escalated: int = 0
    """How many steps of the escalation have been taken."""
    escalate: Deadline | None = None
    activations: tuple[float, ...] = ()
    """Monotonic seconds of the latest raises, the oldest first."""
    chattering: bool = False
    first_out: bool = False
    hazard: Hazard | None = None

    @property
    def state(self) -> AlarmState:
        """The state of ISA-18.2, of which removal from service is the strongest."""
        if self.out_of_service is not None:
            return AlarmState.OUT_OF_SERVICE
        if self.shelved is not None:
            return AlarmState.SHELVED
        return self.process if self.suppressed is None else AlarmState.SUPPRESSED

    @property
    def calls(self) -> bool:
        """Whether it is active and may call people."""
        return self.active and self.state is self.process


@dataclass(frozen=True, slots=True)
class Operator:
    """Who acts, and through what: ``hmi``, ``cli``, ``mqtt``, ``button``."""

    name: str
    via: str
    note: str = ""


FROM_ABOVE = ("mqtt", "sparkplug")
"""The ways by which somebody acts who is not on site."""


class Action(StrEnum):
    """What happened to an alarm; the words of the journal."""

    RAISED = "raised"
    CLEARED = "cleared"
    RETURNED = "returned"
    SUPERSEDED = "superseded"
    """A more severe limit of the same rule took over."""
    ACKNOWLEDGED = "acknowledged"
    RESET = "reset"
    SILENCED = "silenced"
    RE_ALARMED = "re-alarmed"
    ESCALATED = "escalated"
    SHELVED = "shelved"
    UNSHELVED = "unshelved"
    SHELF_EXPIRED = "shelf-expired"
    SUPPRESSED = "suppressed"
    UNSUPPRESSED = "unsuppressed"
    SUPPRESSION_EXPIRED = "suppression-expired"
    OUT_OF_SERVICE = "out-of-service"
    IN_SERVICE = "in-service"
    CHATTERING = "chattering"
    STEADY = "steady"
    REMOVED = "removed"
    """Its rule is gone."""
    HAZARD = "hazard"
    """The centre told how far it is with the hazard; nothing of the alarm changed."""


@dataclass(frozen=True, slots=True)
class Transition:
    """A change of an alarm's state or flags that people and the centre must learn of."""

    alarm: str
    occurrence: str
    action: Action
    before: AlarmState
    after: AlarmState
    priority: Priority
    value: Value
    at: Instant
    operator: Operator | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """A new alarm state to persist, and the transition to journal if there is one (timers alone have none)."""

    alarm: Alarm
    transition: Transition | None = None


class Delays(NamedTuple):
    """The delays of an alarm as they are now; ``stretched`` tells that chatter made the off-delay longer."""

    on_s: float
    off_s: float
    stretched: bool


class Level(StrEnum):
    """Wanted or seen level of a siren or lamp. The last three are tones, in the order of their urgency."""

    OFF = "off"
    ON = "on"
    FLASH = "flash"
    """At 1.4 to 2.8 Hz (IEC 60073)."""
    SLOW_FLASH = "slow-flash"
    """At 0.4 to 0.8 Hz."""
    MODULATED = "modulated"
    INTERMITTENT = "intermittent"
    CHIME = "chime"


class Lane(StrEnum):
    """Outbox lanes in order of priority (the declaration order is the sending order)."""

    ALARM = "alarm"
    STATE = "state"
    EVIDENCE = "evidence"
    TELEMETRY = "telemetry"


@dataclass(frozen=True, slots=True)
class EventDraft:
    """An event before the journal gives it identity, order and hash. ``data`` must be JSON-able."""

    kind: str
    """``alarm.transition``, ``output.state``, ``device.state``, ``loss``, ``config.change``, ``gateway.state`` …"""
    lane: Lane
    subject: str
    data: Mapping[str, object]
    at: Instant
    zone: str = ""
    test: bool = False
    rules_revision: str = ""
    """The rules that it happened under; the journal fills it in."""
    attributes: Mapping[str, object] = field(default_factory=dict)
    """CloudEvents attributes that stand in the place of ``data``: of an event that carries a file."""
