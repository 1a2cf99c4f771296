"""The values that travel through anshao. All are immutable; time is always carried, never fetched."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum, StrEnum
from functools import partial
from itertools import repeat
from typing import NamedTuple

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
    why the quality is not GOOD. ``evidence`` names a picture or a record that backs the value.

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


@dataclass(frozen=True, slots=True)
class Alarm:
    """The live, persisted state of one alarm.

    ``exceeded`` is the condition with its hysteresis (deadband) before the delays: True, False or
    None (unknown). ``active`` is after the delays. ``value`` is the input at the last transition.
    """

    id: str
    state: AlarmState = AlarmState.NORMAL
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


@dataclass(frozen=True, slots=True)
class Operator:
    """Who acts, and through what: ``hmi``, ``cli``, ``mqtt``, ``button``."""

    name: str
    via: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Transition:
    """A change of an alarm's state or flags that people and the centre must learn of."""

    alarm: str
    occurrence: str
    action: str
    """``raised``, ``cleared``, ``acknowledged``, ``silenced``, ``closed`` …"""
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


class Level(StrEnum):
    """Wanted or seen level of a siren or lamp."""

    OFF = "off"
    ON = "on"
    FLASH = "flash"


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
