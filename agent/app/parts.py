"""The running parts of an agent, as those need them who only look."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from agent.core.ports import Clock
from agent.health import Health
from agent.journal import Journal
from agent.outputs import OutputBus
from agent.pipeline import Pipeline
from agent.runner import Runner
from agent.sparkplug.edge import Edge
from agent.uplink import Uplink


@dataclass(frozen=True)
class Parts:
    """Built once by ``agent.app.wiring``; ``uplink`` and ``edge`` are None for a site without one."""

    clock: Clock
    journal: Journal
    pipeline: Pipeline
    buses: Sequence[OutputBus]
    runners: Mapping[str, Runner]
    uplink: Uplink | None
    health: Health
    edge: Edge | None = None
