"""What lies behind registers: their octets, and every way to understand them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict

from rich.table import Table

from agent.cli import tables
from agent.cli.field.target import Target
from agent.core.errors import NotConnected
from agent.core.ports import Inspectable, Inspection, Reading


async def inspect(targets: Sequence[Target]) -> list[Inspection]:
    """Read the octets behind the points of devices that have some; what cannot be read is left out."""
    found: list[Inspection] = []
    for target in targets:
        own = {f"{target.device}.{name}" for name in target.config.points}
        try:
            session = await target.driver.connect()
        except NotConnected:
            continue
        try:
            if isinstance(session, Inspectable):
                found += await session.inspect([id_ for id_ in target.wanted if id_ in own])
        except NotConnected:
            continue
        finally:
            await session.close()
    return found


def show(inspections: Sequence[Inspection], as_json: bool = False) -> None:
    """Print every reading of every point, the configured one marked, and a hint where another is far likelier."""
    if as_json:
        rows = [{**asdict(each), "raw": each.raw.hex(), "hint": hint_of(each)} for each in inspections]
        print(json.dumps(rows, indent=1, ensure_ascii=False))
        return
    table = Table("point", "octets", "read as", "value", "", box=None, header_style="dim")
    for each in inspections:
        for number, reading in enumerate(each.readings):
            head = (each.point, each.raw.hex(" ", 2)) if number == 0 else ("", "")
            table.add_row(*head, reading.how, tables.value(reading.value), _mark(reading), style=_style(reading))
        if hint := hint_of(each):
            table.add_row("", "", "", "", hint, style="bold yellow")
    tables.show(table)


def show_hints(inspections: Sequence[Inspection]) -> None:
    """Print a line for each point that is likely to be read in the wrong order."""
    for each in inspections:
        if hint := hint_of(each):
            print(f"{each.point}: {hint} See --raw")


def hint_of(inspection: Inspection) -> str:
    """Return what to try if the configured reading is not plausible and just one other of its kind is."""
    configured = next((reading for reading in inspection.readings if reading.is_configured), None)
    if configured is None or configured.plausible:
        return ""
    kind = configured.how.split()[0]
    others = [each for each in inspection.readings if each.plausible and each.how.split()[0] == kind]
    return f"rather {others[0].how}?" if len(others) == 1 else ""


def _mark(reading: Reading) -> str:
    return "← as configured" if reading.is_configured else ""


def _style(reading: Reading) -> str:
    return "bold" if reading.is_configured else "" if reading.plausible else "dim"
