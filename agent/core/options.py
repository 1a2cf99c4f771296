"""What every device and point of ``site.yaml`` has in common; drivers add their own fields by subclassing."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Set

from pydantic import BaseModel, ConfigDict, Field

from agent.core.durations import Duration


class Options(BaseModel):
    """Base of everything that is read from a file: unknown keys are faults, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class PointOptions(Options):
    """Fields that every point has, whatever its protocol.

    Engineering value = raw × scale + offset, held within ``clamp``; or the word that ``values`` has for raw.
    """

    unit: str = ""
    zone: str = ""
    description: str = ""
    scale: float = 1.0
    offset: float = 0.0
    clamp: tuple[float, float] | None = Field(default=None, description="[least, most]; a value beyond is held there")
    values: dict[int, str] = Field(default_factory=dict, description="words for raw numbers, such as {0: stopped}")
    writable: bool = False
    stale_after: Duration | None = Field(default=None, description="unknown after that long without a sample")

    def places(self) -> Set[Hashable]:
        """Return what in its device a write to this point changes; two points that share a place are one there.

        Empty: its protocol does not tell.
        """
        return frozenset()


class DeviceOptions(Options):
    """Fields that every device has, whatever its protocol."""

    description: str = ""
    zone: str = ""
    timeout: Duration = Field(default=1.0, gt=0, description="of one request")
    comms_delay: Duration = Field(default=5.0, ge=0, description="how long it may be away before its comms alarm")
    heartbeat: str | None = Field(
        default=None, description="a writable point that counts up while the agent is alive, for the PLC to watch"
    )
    refresh: bool = Field(
        default=False, description="write every output at each cycle: for a module whose watchdog counts writes"
    )

    def line(self) -> tuple[str, Mapping[str, object]]:
        """Return the line that this device shares with others, and the options that all on it must have alike.

        No name: it shares none.
        """
        return "", {}

    def point_fault(self, _point: PointOptions) -> str:
        """Return why a point does not go with this device, empty if it does."""
        return ""
