"""``anshao discover``: who answers in a subnet that the user names. Gently: one connection after the other."""

from __future__ import annotations

import asyncio
import ipaddress
import math
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

from rich.table import Table

from agent.cli import tables
from agent.cli.field.blocks import flow
from agent.cli.printing import as_data
from agent.core.durations import format_duration
from agent.core.ports import DriverType
from drivers import REGISTRY

LARGEST = 22
"""Bits of the prefix of the largest subnet that is searched without being told twice: 1,022 hosts."""
MOST = 65_536
PARALLEL = 8


@dataclass(frozen=True)
class Found:
    """Something that answered."""

    host: str
    port: int
    protocol: str
    says: str


def hosts_of(subnet: str, is_meant: bool) -> list[str]:
    """Return the addresses of a subnet such as 192.168.10.0/24. Raises ValueError."""
    try:
        network = ipaddress.ip_network(subnet, strict=False)
    except ValueError:
        raise ValueError(f"{subnet!r} is no subnet; write 192.168.10.0/24, or an address") from None
    if network.num_addresses > 2 ** (32 - LARGEST) and not is_meant:
        raise ValueError(f"{subnet} has {network.num_addresses} addresses; name a smaller one, or add --really")
    if network.num_addresses > MOST:
        raise ValueError(f"{subnet} has {network.num_addresses} addresses; the largest that is searched has {MOST}")
    return [str(host) for host in network.hosts()]


def discover(subnet: str, protocols: Sequence[str], rate: float, timeout_s: float, is_meant: bool, style: str) -> int:
    """Ask every host at the usual ports of the protocols, ``rate`` connections a second; print who answered."""
    kinds = [kind for kind in _kinds(protocols) if kind.port is not None and kind.identify is not None]
    places = [(host, kind) for host in hosts_of(subnet, is_meant) for kind in kinds]
    span = format_duration(math.ceil(len(places) / rate + timeout_s))
    sys.stderr.write(f"asking {len(places)} ports, which takes about {span}; Ctrl-C shows who answered until then\n")
    found: list[Found] = []
    with suppress(KeyboardInterrupt):
        asyncio.run(_search(places, rate, timeout_s, found))
    if not found:
        sys.stderr.write("nobody answered; devices may be at another port: --protocol modbus-tcp:1502\n")
    if style == "json":
        as_data(found)
    elif style == "yaml":
        print("\n".join(_blocks(found)))
    else:
        table = Table("host", "port", "protocol", "says", box=None, header_style="dim")
        for each in found:
            table.add_row(each.host, str(each.port), each.protocol, each.says)
        tables.show(table)
    return 0 if found else 1


def _kinds(protocols: Sequence[str]) -> Iterator[DriverType]:
    for name in protocols or sorted(REGISTRY):
        host, _, port = name.partition(":")
        known = sorted(each for each, kind in REGISTRY.items() if kind.identify is not None)
        if protocols and host not in known:
            raise ValueError(f"{host!r} cannot be searched for; {' and '.join(known)} can")
        if port and not (port.isdecimal() and 1 <= int(port) <= 65535):
            raise ValueError(f"{port!r} is not a port; write {host}:502, a number from 1 to 65535")
        kind = REGISTRY[host]
        yield (
            kind
            if not port
            else DriverType(kind.protocol, kind.device, kind.point, kind.build, port=int(port), identify=kind.identify)
        )


async def _search(places: Sequence[tuple[str, DriverType]], rate: float, timeout_s: float, found: list[Found]) -> None:
    """Add to ``found`` who answers; when it is cancelled, those until then are there."""
    slots = asyncio.Semaphore(PARALLEL)

    async def ask(host: str, kind: DriverType) -> None:
        async with slots:
            if (answer := await _ask(host, kind, timeout_s)) is not None:
                found.append(answer)

    tasks = []
    async for host, kind in _paced(places, rate):
        tasks.append(asyncio.create_task(ask(host, kind)))
    await asyncio.gather(*tasks)
    order = {(host, kind.port): number for number, (host, kind) in enumerate(places)}
    found.sort(key=lambda each: order[each.host, each.port])


async def _paced(places: Sequence[tuple[str, DriverType]], rate: float) -> AsyncIterator[tuple[str, DriverType]]:
    for place in places:
        yield place
        await asyncio.sleep(1 / rate)


async def _ask(host: str, kind: DriverType, timeout_s: float) -> Found | None:
    """Look whether the port is open before the protocol is spoken."""
    assert kind.port is not None and kind.identify is not None
    try:
        async with asyncio.timeout(timeout_s):
            _, writer = await asyncio.open_connection(host, kind.port)
    except (OSError, TimeoutError):
        return None
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()
    says = await kind.identify(host, kind.port, timeout_s)
    return Found(host, kind.port, kind.protocol, says) if says is not None else None


def _blocks(found: Sequence[Found]) -> Iterator[str]:
    for number, each in enumerate(found, 1):
        place = (
            {"endpoint": f"opc.tcp://{each.host}:{each.port}"}
            if each.protocol == "opcua"
            else {"host": each.host, "port": each.port}
        )
        yield f"device{number}:  # {each.says}"
        yield f"  protocol: {each.protocol}"
        yield from (f"  {key}: {flow(value)}" for key, value in place.items())
        yield "  points: {}"
