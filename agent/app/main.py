"""``anshao run``: from a site file to a running agent and an exit status."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from pathlib import Path

import structlog

from agent.app.plan import Plan, read_site, starting_plan
from agent.app.rulesets.store import RuleStore
from agent.app.wiring import Agent
from agent.core.errors import ConfigError
from agent.logs import configure, detached

log = structlog.get_logger(__name__)


def main(site: Path, state: Path | None = None, socket: Path | None = None, verbose: bool = False) -> int:
    """Run a site until SIGTERM or SIGINT. Returns 1, having told why, when it cannot start."""
    configure(logging.DEBUG if verbose else logging.INFO)
    try:
        found = read_site(site, absent_rules=True, state=state)
        store = RuleStore(found.gateway.state / "rules")
        plan = starting_plan(found, store)
    except ConfigError as error:
        sys.stderr.write(f"{error}\n{len(error.faults)} fault(s); nothing was started\n")
        return 1
    try:
        with detached():
            asyncio.run(_run(plan, found.gateway.state, socket or found.gateway.socket, store))
    except OSError as error:
        log.error("cannot run", reason=str(error))
        return 1
    return 0


async def _run(plan: Plan, state: Path, socket: Path, store: RuleStore) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await Agent(plan, state, socket, store).run(stop)
