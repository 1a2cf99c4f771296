"""A recorded plant as a device: what was recorded comes again, at its pace or quicker."""

from __future__ import annotations

from agent.core.ports import DriverType
from drivers.replay.driver import ReplayDriver
from drivers.replay.options import ReplayDevice, ReplayPoint

REPLAY = DriverType("replay", ReplayDevice, ReplayPoint, ReplayDriver)
