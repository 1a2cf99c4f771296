"""Reading points once, and showing what came."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass

from rich.table import Table

from agent.cli import tables
from agent.cli.field.target import Target
from agent.cli.printing import tell
from agent.core.clock import SystemClock
from agent.core.errors import NotConnected
from agent.core.model import Quality, Sample, Value
from agent.core.ports import Driver

UNREADABLE = 2


@dataclass(frozen=True)
class Reading:
    """What one point answered; ``latency_ms`` is that of the request it came with."""

    point: str
    value: Value
    unit: str
    quality: str
    latency_ms: float
    source_time: str | None
    reason: str


async def read_device(driver: Driver, ids: Sequence[str], units: dict[str, str]) -> list[Reading]:
    """Read points of one device once; a device that fails is told in their reasons."""
    try:
        session = await driver.connect()
    except NotConnected as error:
        return all_bad(ids, str(error))
    started_s = time.monotonic()
    try:
        samples = await session.fetch(ids)
    except NotConnected as error:
        return all_bad(ids, str(error))
    finally:
        took_ms = (time.monotonic() - started_s) * 1000
        await session.close()
    return [reading_of(sample, units, took_ms) for sample in samples]


async def read_targets(targets: Sequence[Target]) -> list[Reading]:
    """Read devices at the same time; one that fails hurts no other."""
    jobs = []
    for target in targets:
        units = {info.id: info.unit for info in target.driver.points}
        own = {f"{target.device}.{name}" for name in target.config.points}  # not those that the driver adds itself
        jobs.append(read_device(target.driver, [id_ for id_ in target.wanted if id_ in own], units))
    return [reading for readings in await asyncio.gather(*jobs) for reading in readings]


def reading_of(sample: Sample, units: dict[str, str], took_ms: float) -> Reading:
    """Return a sample as it is shown."""
    source = sample.source_time.isoformat() if sample.source_time else None
    unit = units.get(sample.point, "")
    return Reading(sample.point, sample.value, unit, sample.quality, round(took_ms, 1), source, sample.reason or "")


def all_bad(ids: Sequence[str], reason: str) -> list[Reading]:
    """Return a reading without a value for each point."""
    now = SystemClock().now()
    return [reading_of(Sample.bad(id_, reason, now), {}, 0.0) for id_ in ids]


def report(readings: Sequence[Reading], as_json: bool) -> int:
    """Print readings; return 2 if one has no value."""
    tell(readings, as_json, _print_table)
    return UNREADABLE if any(reading.quality == Quality.BAD for reading in readings) else 0


def _print_table(readings: Sequence[Reading]) -> None:
    table = Table("point", "value", "unit", "quality", "ms", "source time", "reason", box=None, header_style="dim")
    for each in readings:
        style = "dim red" if each.quality == Quality.BAD else ""
        cells = (each.point, tables.value(each.value), each.unit, each.quality, f"{each.latency_ms:g}")
        table.add_row(*cells, each.source_time or "", each.reason, style=style)
    tables.show(table)
