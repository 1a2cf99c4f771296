"""``anshao check``: every fault of a site and its rules; with --connect, each point read once."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.table import Table

from agent.app.plan import Plan, load_plan
from agent.cli import tables
from agent.core.clock import SystemClock
from agent.core.errors import ConfigError, NotConnected
from agent.core.model import Quality, Sample, Value
from agent.core.ports import Driver
from agent.logs import configure

FAULTS, UNREADABLE = 1, 2
_CAMERA_LIMIT_S = 20.0


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


def check(site: Path, connect: bool, as_json: bool) -> int:
    """Return 0 when all is well, 1 with faults, 2 when something could not be read."""
    try:
        plan = load_plan(site)
    except ConfigError as error:
        return _report_faults(error, as_json)
    if not connect:
        _summarise(plan, as_json)
        return 0
    configure()
    readings = asyncio.run(read_all(plan))
    _report_readings(readings, as_json)
    return UNREADABLE if any(reading.quality == Quality.BAD for reading in readings) else 0


async def read_all(plan: Plan) -> list[Reading]:
    """Read every point of every device once; devices at the same time, a device that fails alone."""
    units = {id_: info.unit for id_, info in plan.points.items()}
    devices = [_read_device(plan.drivers[id_], units) for id_ in plan.site.devices]
    cameras = [_read_camera(plan.drivers[id_], units) for id_ in plan.site.cameras]
    return [reading for readings in await asyncio.gather(*devices, *cameras) for reading in readings]


async def _read_device(driver: Driver, units: dict[str, str]) -> list[Reading]:
    ids = [point.id for point in driver.points]
    try:
        session = await driver.connect()
    except NotConnected as error:
        return _all_bad(ids, str(error))
    started_s = time.monotonic()
    try:
        samples = await session.fetch(ids)
    except NotConnected as error:
        return _all_bad(ids, str(error))
    finally:
        took_ms = (time.monotonic() - started_s) * 1000
        await session.close()
    return [_reading(sample, units, took_ms) for sample in samples]


async def _read_camera(driver: Driver, units: dict[str, str]) -> list[Reading]:
    ids = [point.id for point in driver.points]
    started_s, seen = time.monotonic(), dict[str, Sample]()
    try:
        session = await driver.connect()
    except NotConnected as error:
        return _all_bad(ids, str(error))
    try:
        async with asyncio.timeout(_CAMERA_LIMIT_S):
            while not any(point.endswith(".camera_ok") and sample.value for point, sample in seen.items()):
                seen.update({sample.point: sample for sample in await session.read()})
    except (NotConnected, TimeoutError) as error:
        return _all_bad(ids, str(error) or f"no picture within {_CAMERA_LIMIT_S:g} s")
    finally:
        took_ms = (time.monotonic() - started_s) * 1000
        await session.close()
    return [_reading(sample, units, took_ms) for sample in seen.values()]


def _reading(sample: Sample, units: dict[str, str], took_ms: float) -> Reading:
    source = sample.source_time.isoformat() if sample.source_time else None
    unit = units.get(sample.point, "")
    return Reading(sample.point, sample.value, unit, sample.quality, round(took_ms, 1), source, sample.reason or "")


def _all_bad(ids: Sequence[str], reason: str) -> list[Reading]:
    now = SystemClock().now()
    return [_reading(Sample.bad(id_, reason, now), {}, 0.0) for id_ in ids]


def _report_faults(error: ConfigError, as_json: bool) -> int:
    if as_json:
        print(json.dumps({"faults": [asdict(fault) for fault in error.faults]}, indent=1, ensure_ascii=False))
    else:
        sys.stderr.write(f"{error}\n{len(error.faults)} fault(s)\n")
    return FAULTS


def _summarise(plan: Plan, as_json: bool) -> None:
    site = plan.site
    found = {
        "gateway": site.gateway.id,
        "devices": len(site.devices),
        "points": sum(len(config.points) for config in site.devices.values()),
        "cameras": len(site.cameras),
        "outputs": len(site.outputs),
        "alarms": len(plan.rules),
        "uplink": list(site.uplink.brokers) if site.uplink else [],
    }
    if as_json:
        print(json.dumps({"faults": [], **found}, indent=1, ensure_ascii=False))
    else:
        print(
            f"{site.path}: no faults. " + ", ".join(f"{value} {key}" for key, value in found.items() if key != "uplink")
        )


def _report_readings(readings: list[Reading], as_json: bool) -> None:
    if as_json:
        print(json.dumps([asdict(reading) for reading in readings], indent=1, ensure_ascii=False))
        return
    table = Table("point", "value", "unit", "quality", "ms", "source time", "reason", box=None, header_style="dim")
    for each in readings:
        style = "dim red" if each.quality == Quality.BAD else ""
        cells = (each.point, tables.value(each.value), each.unit, each.quality, f"{each.latency_ms:g}")
        table.add_row(*cells, each.source_time or "", each.reason, style=style)
    tables.show(table)
