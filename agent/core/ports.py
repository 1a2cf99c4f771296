"""The protocols between the parts. The contract of each is its docstring."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from agent.core.model import Alarm, AlarmDefinition, Change, EventDraft, Instant, Operator, PointInfo, Sample, Value
from agent.core.options import DeviceOptions, PointOptions


class Clock(Protocol):
    """A source of moments."""

    def now(self) -> Instant:
        """Return the present moment; ``mono_s`` never goes back."""


class Session(Protocol):
    """One live connection. Never used again after it raised; ``close`` is always called, once."""

    async def read(self) -> Sequence[Sample]:
        """Wait for and return the next batch.

        A failed point is a BAD sample, never an exception for the others. Returns an empty batch as
        a sign of life where nothing changed. Raises NotConnected when the device as a whole is lost.
        """

    async def fetch(self, points: Collection[str]) -> Sequence[Sample]:
        """Read these points now, once each, in one batch. Raises NotConnected."""

    async def write(self, point: str, value: Value) -> None:
        """Write and return when the device confirmed.

        Raises NotConnected (the outcome is unknown) or Refused (do not retry). Never repeats by itself.
        """

    async def close(self) -> None:
        """Free everything; does not raise, and returns within 1 s."""


class Driver(Protocol):
    """What knows one device. Holds no connection; ``connect`` may be called any number of times.

    The runner owns retry, back-off and marking points bad; a driver never sleeps to retry.
    ``read`` and ``fetch``/``write`` of one session may be called from different tasks.
    """

    @property
    def points(self) -> Sequence[PointInfo]:
        """Every point that this driver serves, known before it connects."""

    async def connect(self) -> Session:
        """Return a live session, or raise NotConnected with the reason in words; takes at most the device's timeout."""


@dataclass(frozen=True)
class DriverType:
    """A registry entry: how a protocol is configured and built.

    ``build(device_id, device, points, clock)`` gets points by local name (``gas``); their global id
    is ``<device_id>.<name>``. It must be cheap and must not connect.
    """

    protocol: str
    device: type[DeviceOptions]
    point: type[PointOptions]
    build: DriverBuilder


class DriverBuilder(Protocol):
    """See DriverType."""

    def __call__(self, device_id: str, device: Any, points: Mapping[str, Any], clock: Clock) -> Driver:
        """Return a driver that is not connected."""


class PictureSource(Protocol):
    """A driver that also sees: a camera."""

    def picture(self) -> bytes | None:
        """Return the newest annotated frame as JPEG, or None while there is none."""


class Facts(Protocol):
    """The newest sample of each point, with staleness applied."""

    def get(self, point: str, now_s: float) -> Sample | None:
        """Return the sample; BAD when stale at ``now_s``; None when the point was never seen."""


class RuleEngine(Protocol):
    """Conditions and alarm state machines. Pure in (state, facts, now): no clock, no I/O, no await."""

    @property
    def definitions(self) -> Mapping[str, AlarmDefinition]:
        """Every alarm by id."""

    @property
    def alarms(self) -> Mapping[str, Alarm]:
        """The present state of every alarm by id."""

    def restore(self, alarms: Iterable[Alarm], same_boot: bool, now: Instant) -> None:
        """Take up states saved by an earlier process; unknown ids are ignored.

        With ``same_boot`` monotonic deadlines still count; else a running timer starts anew. An
        on-delay counts the downtime if the condition still holds; an off-delay always starts anew.
        """

    def evaluate(self, facts: Facts, changed: Collection[str] | None, now: Instant) -> list[Change]:
        """Evaluate what depends on ``changed`` points (None: everything) and all timers that are due."""

    def acknowledge(self, alarm: str, operator: Operator, now: Instant) -> list[Change]:
        """Acknowledge; empty when there is nothing to acknowledge. Raises KeyError for an unknown id."""

    def silence(self, alarm: str | None, operator: Operator, now: Instant) -> list[Change]:
        """Silence one sounding alarm, or with None all of them."""

    def next_due_s(self) -> float | None:
        """Return the monotonic time of the earliest timer, or None."""


class Recorder(Protocol):
    """The journal as the pipeline sees it."""

    def record(self, events: Sequence[EventDraft], alarms: Sequence[Alarm]) -> None:
        """Take events and alarm states for one durable transaction.

        Never blocks, never raises, never waits for a disk.
        """
