"""What ``site.yaml`` may say of a simulated device."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from agent.core.durations import Duration
from agent.core.options import DeviceOptions, Options, PointOptions
from drivers.scaling import conversion_fault


class FaultWindow(Options):
    """When a point has no value: from ``at`` on for ``lasts``, and again every ``every``."""

    at: Duration
    lasts: Duration = Field(gt=0)
    every: Duration | None = Field(default=None, gt=0)
    reason: str = "simulated fault"

    def covers(self, seconds: float) -> bool:
        """Tell whether the fault is there, so long after the start."""
        since = seconds - self.at
        return since >= 0 and (since % self.every if self.every else since) < self.lasts


class SimulatedPoint(PointOptions):
    """A signal around ``value``, or what was written last."""

    signal: Literal["constant", "ramp", "sine", "square", "random", "steps"] = "constant"
    value: bool | int | float | str = 0
    amplitude: float = 0.0
    period: Duration = Field(default=60.0, gt=0)
    noise: float = Field(default=0.0, ge=0, description="at most so much is added or taken away")
    levels: tuple[bool | int | float | str, ...] = Field(default=(), description="of steps, each for a period")
    faults: tuple[FaultWindow, ...] = ()
    poll: Duration | None = Field(default=None, gt=0, description="instead of the device's")

    @model_validator(mode="after")
    def _fits_together(self) -> SimulatedPoint:
        if fault := self._fault() or conversion_fault(self):
            raise ValueError(fault)
        return self

    def _fault(self) -> str:
        if self.signal != "constant" and self.writable:
            return "what is written stays, so a writable point is constant; leave 'signal' out"
        if (self.signal == "steps") is not bool(self.levels):
            return "'signal: steps' and 'levels: [1, 2]' belong together"
        if self.signal not in ("constant", "steps") and (isinstance(self.value, bool | str)):
            return f"a {self.signal} goes around a number; {self.value!r} is none"
        return ""


class SimulatedDevice(DeviceOptions):
    """Signals are the same for the same ``seed``, at the same time after the start."""

    poll: Duration = Field(default=1.0, gt=0)
    seed: int = 0
