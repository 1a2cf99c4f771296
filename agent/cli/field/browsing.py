"""``anshao browse``: what a device offers, ready for a site's file."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable
from pathlib import Path

from rich.table import Table

from agent.cli import tables
from agent.cli.field.blocks import point_line
from agent.cli.field.target import Target, is_url, targets
from agent.cli.printing import as_data
from agent.core.ports import Browsable, Offer


def browse(where: str, device: str, path: str, style: str) -> int:
    """Print what lies at ``path`` of a device: as a table, as ``json``, or as ``yaml`` to paste under points."""
    offers = asyncio.run(_offers(_target(where, device), path))
    if not offers:
        raise ValueError(f"nothing lies at {path!r}; browse without a path, and go down from there")
    if style == "json":
        as_data(offers)
    elif style == "yaml":
        print("\n".join(blocks(offers)))
    else:
        _print_table(offers)
    return 0


def blocks(offers: Iterable[Offer]) -> list[str]:
    """Return a line of YAML for each variable, with a name of its own made from its path."""
    taken: set[str] = set()
    return [point_line(name_of(offer.path, taken), offer.options) for offer in offers if offer.options is not None]


def name_of(path: str, taken: set[str]) -> str:
    """Return a name that a point may have, like the end of ``path``, and not yet ``taken`` (it is then)."""
    words = re.sub(r"[^a-z0-9]+", "_", re.sub(r"\d+:", "", path.rpartition("/")[2]).lower()).strip("_") or "point"
    base = words if words[0].isalpha() else f"p_{words}"
    name, number = base, 2
    while name in taken:
        name, number = f"{base}_{number}", number + 1
    taken.add(name)
    return name


def _target(where: str, device: str) -> Target:
    if is_url(where):
        return targets(where, [])[0]
    found = {target.device: target for target in targets(str(Path(where)), [])}
    if not device:
        raise ValueError(f"which device? Write one of {', '.join(sorted(found)) or 'none'} behind the site file")
    if device not in found:
        raise ValueError(f"the site has no device {device!r}; known are {', '.join(sorted(found)) or 'none'}")
    return found[device]


async def _offers(target: Target, path: str) -> list[Offer]:
    session = await target.driver.connect()
    try:
        if not isinstance(session, Browsable):
            raise ValueError(f"{target.config.type.protocol} cannot tell what it offers; import a tag list instead")
        return [offer async for offer in session.browse(path)]
    finally:
        await session.close()


def _print_table(offers: Iterable[Offer]) -> None:
    table = Table("path", "type", "value", "writable", "point", box=None, header_style="dim")
    for offer in offers:
        options = ", ".join(f"{key}: {value}" for key, value in (offer.options or {}).items())
        shown = tables.value(offer.value) if offer.options is not None else ""
        writable = "yes" if offer.writable else ""
        table.add_row(
            offer.path, offer.type or "folder", shown, writable, options, style="" if offer.options else "dim"
        )
    tables.show(table)
