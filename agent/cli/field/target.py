"""What a command talks to: a device of a site, or an address that stands alone."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pydantic import ValidationError

from agent.config import load_site
from agent.core.clock import SystemClock
from agent.core.ports import Driver
from agent.site import DeviceConfig, Site
from drivers import REGISTRY
from models import CAMERA

_MODBUS = re.compile(r"(?:(coil|discrete|input|holding)/)?(\d+)(?::(\w+))?(?::([A-H]{4,8}))?")


@dataclass(frozen=True)
class Target:
    """One device with the points that are wanted of it."""

    device: str
    config: DeviceConfig
    driver: Driver
    wanted: tuple[str, ...]
    """Ids of points; all of the driver's, unless some were named."""


def is_url(text: str) -> bool:
    """Tell whether a target stands alone, and is no site file."""
    return "://" in text


def site_of(path: Path) -> Site:
    """Read a site. Raises ConfigError."""
    return load_site(path, REGISTRY, CAMERA)


def targets(where: str, points: Sequence[str]) -> list[Target]:
    """Return what is wanted of a site (patterns such as ``boiler.*``; none: everything), or of a URL.

    Raises ConfigError, and ValueError that says what would be right.
    """
    return [_alone(where, points)] if is_url(where) else _in_site(site_of(Path(where)), points)


def named(where: str, points: Sequence[str]) -> list[Target]:
    """Return the same; of a URL, points must be named."""
    found = targets(where, points)
    if is_url(where) and not points:
        example = {"opcua": "'nsu=URI;s=NAME'", "mqtt": "a/topic"}.get(found[0].config.type.protocol, "40001:float32")
        raise ValueError(f"{where} does not say by itself what to read; name it, such as {example}")
    return found


def _in_site(site: Site, patterns: Sequence[str]) -> list[Target]:
    found = []
    for id_, config in site.devices.items():
        driver = beside_the_agent(config).build(SystemClock())
        ids = tuple(info.id for info in driver.points)
        wanted = ids if not patterns else tuple(id_ for id_ in ids if any(fnmatch.fnmatch(id_, p) for p in patterns))
        if wanted or not patterns:
            found.append(Target(id_, config, driver, wanted))
    known = [id_ for target in found for id_ in target.wanted]
    for pattern in patterns:
        if not fnmatch.filter(known, pattern):
            raise ValueError(f"no point is called {pattern!r}; 'anshao check {site.path}' counts them, {_some(site)}")
    return found


def beside_the_agent(config: DeviceConfig) -> DeviceConfig:
    """Return a device as a tool connects to it: a broker ends the older of two connections with one client id."""
    client_id = getattr(config.options, "client_id", "")
    if not client_id:
        return config
    changes = {"client_id": "", "session": None}
    return replace(config, options=config.options.model_copy(update=changes))


def _some(site: Site) -> str:
    names = [f"{id_}.{name}" for id_, config in site.devices.items() for name in config.points]
    return f"such as {', '.join(names[:3])}" if names else "and the site has none"


def _alone(url: str, points: Sequence[str]) -> Target:
    scheme = urlsplit(url).scheme
    if scheme not in _SCHEMES:
        raise ValueError(f"{scheme}:// is not known; write {', '.join(f'{each}://HOST:PORT' for each in _SCHEMES)}")
    protocol, device_of, point_of = _SCHEMES[scheme]
    kind = REGISTRY[protocol]
    try:
        options = kind.device.model_validate(device_of(url))
        parsed = {f"p{n}": kind.point.model_validate(point_of(text)) for n, text in enumerate(points)}
    except ValidationError as error:
        raise ValueError("; ".join(_in_words(each) for each in error.errors())) from None
    config = DeviceConfig("device", kind, options, parsed)
    driver = config.build(SystemClock())
    return Target("device", config, driver, tuple(f"device.{name}" for name in parsed))


def _in_words(error: Mapping[str, Any]) -> str:
    if "error" in error.get("ctx", {}):
        return str(error["ctx"]["error"])
    key = error["loc"][-1] if error["loc"] else "it"
    return f"{key}: {error['msg']} (found {error['input']!r})"


def _modbus_device(url: str) -> dict[str, object]:
    parts = urlsplit(url)
    unit = parts.path.strip("/")
    if unit and not unit.isdecimal():
        raise ValueError(f"{unit!r} is no unit; write modbus://HOST:PORT/UNIT")
    return {"host": parts.hostname or "", "port": parts.port or 502, "unit": int(unit or 1), "timeout": 2.0}


def _modbus_point(text: str) -> dict[str, object]:
    match = _MODBUS.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is no register; write 40001, holding/0, 40001:float32 or 40001:float32:CDAB")
    table, number, kind, order = match.groups()
    address: object = {"table": table, "offset": int(number)} if table else number
    return {"address": address, **({"type": kind} if kind else {}), **({"word_order": order} if order else {})}


def _opcua_device(url: str) -> dict[str, object]:
    parts = urlsplit(url)
    whole = url if parts.port else f"opc.tcp://{parts.hostname}:4840{parts.path}"
    return {"endpoint": whole, "security": "none", "timeout": 5.0}


_SCHEMES: dict[str, tuple[str, Callable[[str], dict[str, object]], Callable[[str], dict[str, object]]]] = {
    "modbus": ("modbus-tcp", _modbus_device, _modbus_point),
    "opc.tcp": ("opcua", _opcua_device, lambda text: {"node": text}),
    "mqtt": ("mqtt", lambda url: {"broker": url}, lambda text: {"topic": text}),
}
"""Protocol, device and point of an address that stands alone. OPC UA goes without security: it only looks."""
