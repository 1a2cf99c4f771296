"""``anshao check``: every fault of a site and its rules; with --connect, each point read once."""

from __future__ import annotations

import asyncio
import sys
import time
from dataclasses import replace
from pathlib import Path

from agent.app.plan import Plan, load_plan
from agent.cli.field import raw as octets
from agent.cli.field.reading import UNREADABLE, Reading, all_bad, read_device, reading_of, report
from agent.cli.field.target import beside_the_agent, targets
from agent.cli.guards import guards, unnoticed
from agent.cli.printing import lines, tell
from agent.core.clock import SystemClock
from agent.core.errors import ConfigError, NotConnected
from agent.core.model import Quality, Sample
from agent.core.ports import Driver
from agent.logs import configure

FAULTS = 1
_OF_A_MODULE = {
    "watchdog_ok": (True, "the module's watchdog is off: if the gateway dies, its outputs stay as they are"),
    "safe_mode": (False, "the module is in its safe mode and ignores what is written; the agent clears it"),
}
"""What an I/O module tells of itself, what it should be, and what it means if it is not."""
_CAMERA_LIMIT_S = 20.0


def check(site: Path, connect: bool, as_json: bool, raw: bool = False) -> int:
    """Return 0 when all is well, 1 with faults, 2 when something could not be read."""
    try:
        plan = load_plan(site)
    except ConfigError as error:
        return _report_faults(error, as_json)
    if not (connect or raw):
        _summarise(plan, as_json)
        return 0
    configure()
    readings = [_judged(reading) for reading in asyncio.run(read_all(plan))]
    status = report(readings, as_json) or (UNREADABLE if any(_is_wrong(each) for each in readings) else 0)
    if not as_json:
        inspections, _ = asyncio.run(octets.inspect(targets(str(site), [])))
        octets.show(inspections) if raw else octets.show_hints(inspections)
    return status


async def read_all(plan: Plan) -> list[Reading]:
    """Read every point of every device once; devices at the same time, a device that fails alone."""
    units = {id_: info.unit for id_, info in plan.points.items()}
    devices = [read_device(driver, _own(plan, id_, driver), units) for id_, driver in _drivers(plan).items()]
    cameras = [_read_camera(plan.drivers[id_], units) for id_ in plan.site.cameras]
    return [reading for readings in await asyncio.gather(*devices, *cameras) for reading in readings]


def _drivers(plan: Plan) -> dict[str, Driver]:
    return {id_: beside_the_agent(config).build(SystemClock()) for id_, config in plan.site.devices.items()}


def _own(plan: Plan, device: str, driver: Driver) -> list[str]:
    """Return the points that the site's file names, and what an I/O module tells of itself."""
    named = {f"{device}.{name}" for name in (*plan.site.devices[device].points, *_OF_A_MODULE)}
    return [point.id for point in driver.points if point.id in named]


def _is_wrong(reading: Reading) -> bool:
    wanted, _ = _OF_A_MODULE.get(reading.point.rpartition(".")[2], (reading.value, ""))
    return reading.value is not None and reading.value != wanted


def _judged(reading: Reading) -> Reading:
    """Say what it means if a module does not guard its outputs."""
    return replace(reading, reason=_OF_A_MODULE[reading.point.rpartition(".")[2]][1]) if _is_wrong(reading) else reading


async def _read_camera(driver: Driver, units: dict[str, str]) -> list[Reading]:
    """Look until everything is known (people are told of after 2 s of sight), for ``_CAMERA_LIMIT_S`` at most."""
    ids = [point.id for point in driver.points]
    started_s, seen = time.monotonic(), dict[str, Sample]()
    try:
        session = await driver.connect()
    except NotConnected as error:
        return all_bad(ids, str(error))
    try:
        async with asyncio.timeout(_CAMERA_LIMIT_S):
            while not seen or any(sample.quality is Quality.BAD for sample in seen.values()):
                seen.update({sample.point: sample for sample in await session.read()})
    except NotConnected as error:
        return all_bad(ids, str(error))
    except TimeoutError:  # what was told until then says why
        if not seen:
            return all_bad(ids, f"no picture within {_CAMERA_LIMIT_S:g} s")
    finally:
        took_ms = (time.monotonic() - started_s) * 1000
        await session.close()
    return [reading_of(sample, units, took_ms) for sample in seen.values()]


def _report_faults(error: ConfigError, as_json: bool) -> int:
    told = f"{error}\n{len(error.faults)} fault(s)\n"
    tell({"faults": error.faults}, as_json, lambda _: sys.stderr.write(told))
    return FAULTS


def _summarise(plan: Plan, as_json: bool) -> None:
    site, wires, unseen = plan.site, list(guards(plan)), list(unnoticed(plan))
    found = {
        "gateway": site.gateway.id,
        "devices": len(site.devices),
        "points": sum(len(config.points) for config in site.devices.values()),
        "cameras": len(site.cameras),
        "outputs": len(site.outputs),
        "alarms": len(plan.rules),
        "uplink": list(site.uplink.ends) if site.uplink else [],
        "to_wire": wires,
        "unnoticed": unseen,
        "sparkplug": list(site.sparkplug.brokers) if site.sparkplug else [],
    }
    counts = ", ".join(
        f"{value} {key}" for key, value in found.items() if key not in ("uplink", "sparkplug", "to_wire", "unnoticed")
    )
    told = [f"{site.path}: no faults. {counts}"]
    told += [f"to wire: {line}" for line in wires]
    told += [f"unnoticed: {line}" for line in unseen]
    tell({"faults": [], **found}, as_json, lambda _: lines(told))
