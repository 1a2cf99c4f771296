"""What lies behind registers: their octets, and every way to understand them."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict

from rich.table import Table

from agent.cli import tables
from agent.cli.field.reading import UNREADABLE
from agent.cli.field.target import Target
from agent.cli.printing import tell
from agent.core.errors import NotConnected
from agent.core.ports import Inspectable, Inspection, Reading

_NO_OCTETS = "it is no register, so there are no octets to show"


async def inspect(targets: Sequence[Target]) -> tuple[list[Inspection], dict[str, str]]:
    """Read the octets behind the points of devices that have some; return them, and why others have none."""
    found: list[Inspection] = []
    why: dict[str, str] = {}
    for target in targets:
        own = {f"{target.device}.{name}" for name in target.config.points}
        wanted = [id_ for id_ in target.wanted if id_ in own]
        try:
            found += await _of(target, wanted)
        except NotConnected as error:
            why |= dict.fromkeys(wanted, str(error))
        seen = {each.point for each in found if each.raw}
        why |= {id_: _NO_OCTETS for id_ in wanted if id_ not in seen and id_ not in why}
        why |= {each.point: "the device refuses these registers" for each in found if not each.raw}
    return [each for each in found if each.raw], why


async def _of(target: Target, wanted: Sequence[str]) -> Sequence[Inspection]:
    session = await target.driver.connect()
    try:
        return await session.inspect(wanted) if isinstance(session, Inspectable) else []
    finally:
        await session.close()


def report(inspections: Sequence[Inspection], why: Mapping[str, str], as_json: bool) -> int:
    """Print what was read, and to the error stream what was not; return 2 if a register could not be read."""
    show(inspections, as_json)
    for point, reason in why.items():
        sys.stderr.write(f"{point}: {reason}\n")
    return UNREADABLE if any(reason != _NO_OCTETS for reason in why.values()) or not inspections else 0


def show(inspections: Sequence[Inspection], as_json: bool = False) -> None:
    """Print every reading of every point, the configured one marked, and a hint where another is far likelier."""
    rows = [{**asdict(each), "raw": each.raw.hex(), "hint": hint_of(each)} for each in inspections]
    tell(rows, as_json, lambda _: _print_table(inspections))


def _print_table(inspections: Sequence[Inspection]) -> None:
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
    return "← as configured" if reading.is_configured else "" if reading.plausible else "unlikely"


def _style(reading: Reading) -> str:
    return "bold" if reading.is_configured else "" if reading.plausible else "dim"
