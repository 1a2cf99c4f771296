"""The protocols between the parts. The contract of each is its docstring."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from agent.core.hazard import Hazard
from agent.core.model import (
    Alarm,
    AlarmDefinition,
    Change,
    Delays,
    EventDraft,
    Instant,
    Operator,
    PointInfo,
    Sample,
    Value,
)
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
class Offer:
    """One thing that a device offers to read.

    ``path`` is for people. ``options`` is what a point of ``site.yaml`` would say to read it;
    ``children`` tells that there is more below ``path``. A folder has no options.
    """

    path: str
    options: Mapping[str, object] | None = None
    type: str = ""
    value: Value = None
    writable: bool = False
    description: str = ""
    children: bool = False


@runtime_checkable
class Browsable(Protocol):
    """A session that can tell what its device offers."""

    def browse(self, path: str) -> AsyncIterator[Offer]:
        """Yield what lies at ``path`` (a protocol's own notation, ``*`` and ``**`` as wildcards; empty: the root).

        Raises NotConnected; ValueError for a path that makes no sense.
        """


@dataclass(frozen=True)
class Reading:
    """One way to understand what a device sent: ``how`` in words, and whether such a value is plausible."""

    how: str
    value: Value
    plausible: bool
    is_configured: bool


@dataclass(frozen=True)
class Inspection:
    """The raw octets behind a point, and every way to understand them."""

    point: str
    raw: bytes
    readings: Sequence[Reading]


@runtime_checkable
class Inspectable(Protocol):
    """A session that can show what lies behind its points, for who commissions it."""

    async def inspect(self, points: Collection[str]) -> Sequence[Inspection]:
        """Read these points and show their octets; points without octets of their own are left out."""


@dataclass(frozen=True)
class DriverType:
    """A registry entry: how a protocol is configured and built.

    ``build(device_id, device, points, clock)`` gets points by local name (``gas``); their global id
    is ``<device_id>.<name>``. It must be cheap and must not connect. ``build_outputs`` does the same for
    sirens and lamps, where they can have a connection of their own; None: ``build`` does for both.
    ``port`` is the protocol's usual TCP port, where ``identify`` tells gently who answers: for ``anshao discover``.
    """

    protocol: str
    device: type[DeviceOptions]
    point: type[PointOptions]
    build: DriverBuilder
    build_outputs: DriverBuilder | None = None
    port: int | None = None
    identify: Identify | None = None


class Identify(Protocol):
    """See DriverType."""

    async def __call__(self, host: str, port: int, timeout_s: float) -> str | None:
        """Return in words what answers there (vendor, product), None if nothing of this protocol does. Never raises."""


class DriverBuilder(Protocol):
    """See DriverType."""

    def __call__(self, device_id: str, device: Any, points: Mapping[str, Any], clock: Clock) -> Driver:
        """Return a driver that is not connected."""


class PictureSource(Protocol):
    """A driver that also sees: a camera."""

    def picture(self) -> bytes | None:
        """Return the newest annotated frame as JPEG, or None while there is none."""


@runtime_checkable
class Aimed(Protocol):
    """A driver that knows where it should look: a camera."""

    def accept(self) -> None:
        """Take what it sees now for its right view. Raises NotConnected."""


@dataclass(frozen=True)
class Sighting:
    """What was seen in a golden picture of that name; ``facts`` are never what is before the camera."""

    picture: str
    facts: Sequence[Sample]


@runtime_checkable
class Provable(Protocol):
    """A driver that can show that it would see what it must: a camera."""

    async def prove(self) -> Sighting:
        """Judge a golden picture with the model at work. Raises NotConnected."""


@dataclass(frozen=True)
class EvidenceFile:
    """A file of evidence, whole on the disk; with ``reason`` why there is none of this ``kind``.

    ``taken_s`` is monotonic, of a clip its first picture's; ``seconds`` is a clip's length; ``blurred`` tells
    that nobody's face can be made out.
    """

    kind: str
    name: str = ""
    media_type: str = ""
    octets: int = 0
    sha256: str = ""
    taken_s: float = 0.0
    seconds: float = 0.0
    blurred: bool = False
    model: str = ""
    reason: str = ""


@runtime_checkable
class Witness(Protocol):
    """A driver that can keep pictures of what happened: a camera."""

    def keep(self, order: str, folder: str, at_s: float) -> AsyncIterator[EvidenceFile]:
        """Yield each file as it is written into ``folder``, about the moment ``at_s`` (monotonic seconds).

        ``order`` names the request, and no two are alike. Raises NotConnected when the worker dies or falls silent.
        """


class Facts(Protocol):
    """The newest sample of each point, with staleness applied."""

    def get(self, point: str, now_s: float) -> Sample | None:
        """Return the sample; BAD when stale at ``now_s``; None when the point was never seen."""


class RuleEngine(Protocol):
    """Conditions and alarm state machines. Pure in (state, facts, now): no clock, no I/O, no await.

    What an operator does returns the changes; none when there was nothing to do. It raises KeyError
    for an unknown alarm, and NotAllowed for what the site does not permit.
    """

    @property
    def definitions(self) -> Mapping[str, AlarmDefinition]:
        """Every alarm by id."""

    @property
    def alarms(self) -> Mapping[str, Alarm]:
        """The present state of every alarm by id."""

    @property
    def standing(self) -> Mapping[str, Alarm]:
        """The alarms whose state is not normal, by id."""

    @property
    def counted(self) -> Collection[str]:
        """Points of which every sample must be given to ``evaluate``, though it says what the one before said."""

    def delays(self, alarm: str) -> Delays:
        """Return the delays of an alarm as they are now. Raises KeyError."""

    def restore(self, alarms: Iterable[Alarm], same_boot: bool, now: Instant) -> None:
        """Take up states saved by an earlier process; unknown ids are ignored, and so is what was raised since.

        With ``same_boot`` monotonic deadlines still count; else the wall clock tells what is left. An
        on-delay counts the downtime if the condition still holds; an off-delay always starts anew.
        """

    def evaluate(self, facts: Facts, changed: Sequence[Sample] | None, now: Instant) -> list[Change]:
        """Judge what depends on the ``changed`` samples, which ``facts`` hold (None: everything), and what is due."""

    def sweep(self, facts: Facts, stale: Sequence[Sample], now: Instant) -> list[Change]:
        """Judge what time alone may change; to be called about once a second."""

    def acknowledge(self, alarm: str, operator: Operator, now: Instant) -> list[Change]:
        """Acknowledge; on site also reset a latched alarm whose condition has ended."""

    def silence(self, alarm: str | None, operator: Operator, now: Instant) -> list[Change]:
        """Silence one sounding alarm, or with None all of them."""

    def shelve(self, alarm: str, seconds: float, operator: Operator, now: Instant) -> list[Change]:
        """Put an alarm away for a while; the operator's note is the reason."""

    def unshelve(self, alarm: str, operator: Operator, now: Instant) -> list[Change]:
        """Take it off its shelf; if it is active it calls as if it were new."""

    def take_out(self, alarm: str, second: str, operator: Operator, now: Instant) -> list[Change]:
        """Take it out of service until somebody brings it back; ``second`` is who else agreed."""

    def bring_back(self, alarm: str, operator: Operator, now: Instant) -> list[Change]:
        """Put it into service again."""

    def tell_hazard(self, alarm: str, hazard: Hazard, operator: Operator, now: Instant) -> list[Change]:
        """Keep what the centre says of an alarm's hazard; it changes nothing else."""

    def next_due_s(self) -> float | None:
        """Return the monotonic time of the earliest timer, or None."""


class Recorder(Protocol):
    """The journal as the pipeline sees it."""

    def record(self, events: Sequence[EventDraft], alarms: Sequence[Alarm]) -> None:
        """Take events and alarm states for one durable transaction.

        Never blocks, never raises, never waits for a disk.
        """
