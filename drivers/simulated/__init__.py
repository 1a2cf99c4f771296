"""A device that is not there: signals to try rules, pages and links with."""

from __future__ import annotations

from agent.core.ports import DriverType
from drivers.simulated.driver import SimulatedDriver
from drivers.simulated.options import SimulatedDevice, SimulatedPoint

SIMULATED = DriverType("simulated", SimulatedDevice, SimulatedPoint, SimulatedDriver)
