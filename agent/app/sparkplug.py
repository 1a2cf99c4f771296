"""Puts the Sparkplug edge node together, for a site that has one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from agent.app.plan import Plan
from agent.core.model import EventDraft, Value
from agent.core.ports import Clock, Recorder
from agent.pipeline import Pipeline
from agent.runner import Runner
from agent.sparkplug.bdseq import Connections
from agent.sparkplug.catalogue import Catalogue
from agent.sparkplug.commands import Commands, Judge
from agent.sparkplug.edge import Edge
from agent.sparkplug.history import History
from agent.sparkplug.kept import Kept
from agent.sparkplug.node import Node
from agent.sparkplug.session import Names

DOUBT = 2.5
"""A connection that is dead is noticed within two keepalives: what was told since then may not have arrived."""


def edge(
    plan: Plan, pipeline: Pipeline, runners: Mapping[str, Runner], recorder: Recorder, clock: Clock, state: Path
) -> Edge | None:
    """Return the edge node of a site, which hears of every change from now on; None for a site without one."""
    options, gateway = plan.site.sparkplug, plan.site.gateway
    if options is None:
        return None
    catalogue = Catalogue(plan.points.values(), list(runners), options.writable)
    history = History(options.history)
    node = Node(catalogue, pipeline.facts, history, options.history_rate, DOUBT * options.keepalive)
    pipeline.heard.append(node.hear)

    async def write(point: str, value: Value) -> None:
        await runners[point.split(".")[0]].write(point, value)

    def record(event: EventDraft) -> None:
        recorder.record([event], ())

    commands = Commands(Judge(catalogue, options.command_age), write, record, node.answer, clock, options.primary_host)
    names = Names(options.group or gateway.site, options.node or gateway.id)
    kept = Kept(state / "sparkplug.history", plan.points.values(), options.history)
    return Edge(options, names, node, commands, Connections(state / "sparkplug.bdseq"), kept, record, clock)
