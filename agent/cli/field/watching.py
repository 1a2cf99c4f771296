"""``anshao watch``: points as they change, until it is ended."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence

from rich.console import Console
from rich.live import Live
from rich.table import Table

from agent.cli import tables
from agent.cli.field.running import run
from agent.cli.field.target import Target
from agent.core.model import Quality, Sample
from agent.facts import FactTable


def watch(targets: Sequence[Target], for_s: float | None, style: str) -> int:
    """Show a live table, or with ``plain`` or ``json`` a line for each change."""
    wanted = {id_ for target in targets for id_ in target.wanted}
    if style == "table" and Console().is_terminal:
        board = Board(Console().height - 3)
        with Live(get_renderable=board.table, refresh_per_second=4):
            asyncio.run(_run(targets, wanted, board.changed, for_s))
    else:
        printer = _print_json if style == "json" else _print_line
        asyncio.run(_run(targets, wanted, printer, for_s))
    return 0


async def _run(
    targets: Sequence[Target], wanted: set[str], tell: Callable[[Sample], None], for_s: float | None
) -> None:
    """Tell of each change of what is wanted."""
    facts = FactTable(info for target in targets for info in target.driver.points)

    def ingest(samples: Sequence[Sample]) -> None:
        for sample in facts.update(samples):
            if sample.point in wanted:
                tell(sample)

    await run(targets, ingest, for_s)


class Board:
    """The newest sample of each point; of ``rows`` points, as many as the terminal has lines for."""

    def __init__(self, rows: int) -> None:
        self._samples: dict[str, Sample] = {}
        self._rows = max(rows, 1)

    def changed(self, sample: Sample) -> None:
        """Take a sample in."""
        self._samples[sample.point] = sample

    def table(self) -> Table:
        """Draw the points; called in a thread of its own, a few times a second however much changes."""
        table = Table("point", "value", "quality", "at", "reason", box=None, header_style="dim")
        samples = sorted(self._samples.copy().items())
        for id_, sample in samples[: self._rows]:
            style = "dim red" if sample.quality is Quality.BAD else ""
            cells = (id_, tables.value(sample.value), sample.quality, f"{sample.received_at.astimezone():%H:%M:%S}")
            table.add_row(*cells, sample.reason or "", style=style)
        if (more := len(samples) - self._rows) > 0:
            table.add_row(f"and {more} more: name those that you want to see", style="dim")
        return table


def _print_line(sample: Sample) -> None:
    moment = f"{sample.received_at.astimezone():%H:%M:%S.%f}"[:-3]
    reason = f"  {sample.reason}" if sample.reason else ""
    print(f"{moment}  {sample.point}  {tables.value(sample.value)}  {sample.quality}{reason}", flush=True)


def _print_json(sample: Sample) -> None:
    source = sample.source_time.isoformat() if sample.source_time else None
    row = {
        "at": sample.received_at.isoformat(), "point": sample.point, "value": sample.value,
        "quality": sample.quality, "reason": sample.reason, "source_time": source,
    }  # fmt: skip
    print(json.dumps(row, ensure_ascii=False), flush=True)
