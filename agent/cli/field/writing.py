"""``anshao write``: one point, and only if it is confirmed."""

from __future__ import annotations

import asyncio
import json
import math
from pathlib import Path

from agent.cli.field.target import Target, site_of, targets
from agent.client import AgentAway, AgentRefused, Client
from agent.core.model import Sample, Value
from agent.core.ports import Session
from agent.site import Site

SETTLE_S = 2.0
"""How long a device may take to show what was written."""


def write(site: Path, point: str, text: str, is_confirmed: bool, even_if_output: bool) -> int:
    """Write a value and read it back; return 0 only if it is there then. Raises ValueError, NotConnected, Refused."""
    target = targets(str(site), [point])[0]
    if len(target.wanted) != 1:
        raise ValueError(f"{point!r} is more than one point; name it in full")
    value = parse(text)
    name = target.wanted[0].split(".", 1)[1]
    if name not in target.config.points or not target.config.points[name].writable:
        raise ValueError(f"{point} is not writable; add 'writable: true' to it if it may be written")
    output = _driven_by(site_of(site), point)
    if output and not even_if_output:
        raise ValueError(f"the agent runs and drives {point} as output {output!r}; stop it, or add --even-if-output")
    return asyncio.run(_write(target, value, is_confirmed))


def parse(text: str) -> Value:
    """Return a value as it is written in JSON (5, 2.5, true), or else the text itself."""
    try:
        value = json.loads(text)
    except ValueError:
        return text
    if isinstance(value, dict | list) or value is None:
        raise ValueError(f"{text!r} is no single value; write a number, true, false or a text")
    return value  # type: ignore[no-any-return]


async def _write(target: Target, value: Value, is_confirmed: bool) -> int:
    point = target.wanted[0]
    session = await target.driver.connect()
    try:
        before = await _present(session, point)
        if not is_confirmed:
            print(f"{point} is {_shown(before)}; would write {value!r}. Add --confirm to do it")
            return 1
        await session.write(point, value)
        after = await _settled(session, point, value)
        print(f"{point} was {_shown(before)}; wrote {value!r}; read back {_shown(after)}")
        return 0 if _agrees(after.value, value) else 1
    finally:
        await session.close()


async def _settled(session: Session, point: str, value: Value) -> Sample:
    """Read back until the value is there, or time is up."""
    loop = asyncio.get_running_loop()
    until_s = loop.time() + SETTLE_S
    while not _agrees((sample := await _present(session, point)).value, value) and loop.time() < until_s:
        await asyncio.sleep(0.1)
    return sample


def _agrees(found: Value, wanted: Value) -> bool:
    """Tell whether what was read back is what was written, as far as 32 bits can hold a fraction."""
    if isinstance(found, int | float) and isinstance(wanted, int | float):
        return math.isclose(found, wanted, rel_tol=1e-6)
    return found == wanted


async def _present(session: Session, point: str) -> Sample:
    (sample,) = await session.fetch([point])
    return sample


def _shown(sample: Sample) -> str:
    return repr(sample.value) if sample.value is not None else f"unknown ({sample.reason})"


def _driven_by(site: Site, point: str) -> str:
    """Return the output that a running agent drives through ``point``, empty if none does."""
    output = next((name for name, options in site.outputs.items() if options.point == point), "")
    if not output:
        return ""
    try:
        status = Client(site.gateway.socket).get("status")
    except (AgentAway, AgentRefused):
        return ""
    return output if status["gateway"]["id"] == site.gateway.id else ""
