"""The commands themselves, as ``anshao --help`` shows them; each is a file of its own beside this one."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from agent.core.durations import parse_duration
from agent.core.errors import ConfigError, NotConnected, Refused

FAILED = 1
Where = Annotated[str, typer.Argument(help="the site file, or modbus://HOST:PORT/UNIT, opc.tcp://HOST:PORT", show_default=False)]  # fmt: skip # noqa: E501
SiteFile = Annotated[Path, typer.Argument(help="the site file", show_default=False)]
Points = Annotated[list[str] | None, typer.Argument(help="ids, with * for any; without any, all")]
AsJson = Annotated[bool, typer.Option("--json", help="print JSON, for programs")]


def _duration(text: str) -> float:
    try:
        return parse_duration(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


def _columns(text: str) -> dict[str, str]:
    pairs = dict(part.partition("=")[::2] for part in text.split(",") if part)
    if not all(pairs.values()):
        raise typer.BadParameter("write name=COLUMN,address=COLUMN")
    from agent.cli.field.taglist import FIELDS

    if unknown := set(pairs) - FIELDS:
        raise typer.BadParameter(f"{', '.join(sorted(unknown))} is no field; known are {', '.join(sorted(FIELDS))}")
    return pairs


def browse(
    where: Where,
    device: Annotated[str, typer.Argument(help="device of the site; of a URL, the path")] = "",
    path: Annotated[str, typer.Argument(help="names with / between, * for any, ** for all below")] = "",
    as_yaml: Annotated[bool, typer.Option("--yaml", help="print points to paste into the site file")] = False,
    as_json: AsJson = False,
) -> None:
    """Show what a device offers, for the site file."""
    from agent.cli.field.browsing import browse as run
    from agent.cli.field.target import is_url

    with _telling():
        place = device if is_url(where) else path
        raise typer.Exit(run(where, device, place, _style(as_json, as_yaml)))


def read(
    where: Where,
    points: Points = None,
    raw: Annotated[bool, typer.Option("--raw", help="octets of registers, read in every way")] = False,
    as_json: AsJson = False,
) -> None:
    """Read points once; exit status 2 if one has no value."""
    import asyncio

    from agent.cli.field import raw as octets
    from agent.cli.field.reading import read_targets, report
    from agent.cli.field.target import named

    with _telling():
        wanted = named(where, points or [])
        if raw:
            raise typer.Exit(octets.report(*asyncio.run(octets.inspect(wanted)), as_json))
        raise typer.Exit(report(asyncio.run(read_targets(wanted)), as_json))


def write(
    site: SiteFile,
    point: Annotated[str, typer.Argument(help="id of a writable point", show_default=False)],
    value: Annotated[str, typer.Argument(help="5, 2.5, true, or a text", show_default=False)],
    confirm: Annotated[bool, typer.Option("--confirm", help="do it; without this only say what would be done")] = False,
    even_if_output: Annotated[bool, typer.Option(help="also a siren or lamp that a running agent drives")] = False,
) -> None:
    """Write one point and read it back."""
    from agent.cli.field.writing import write as run

    with _telling():
        raise typer.Exit(run(site, point, value, confirm, even_if_output))


def watch(
    where: Where,
    points: Points = None,
    for_s: Annotated[
        float | None, typer.Option("--for", parser=_duration, metavar="DURATION", help="end after")
    ] = None,
    plain: Annotated[bool, typer.Option("--plain", help="a line for each change, no table")] = False,
    as_json: AsJson = False,
) -> None:
    """Show points as they change."""
    from agent.cli.field.target import named
    from agent.cli.field.watching import watch as run
    from agent.logs import configure

    configure()
    with _telling():
        style = "json" if as_json else "plain" if plain else "table"
        raise typer.Exit(run(named(where, points or []), for_s, style))


def discover(
    subnet: Annotated[str, typer.Argument(help="such as 192.168.10.0/24; nothing else is asked", show_default=False)],
    protocol: Annotated[list[str] | None, typer.Option(help="modbus-tcp, or opcua:4841 for another port")] = None,
    rate: Annotated[float, typer.Option(help="connections a second", min=0.1, max=1000)] = 20.0,
    timeout: Annotated[float, typer.Option(parser=_duration, metavar="DURATION", help="of one answer")] = "500ms",  # type: ignore[assignment]
    really: Annotated[bool, typer.Option(help="search a subnet of more than 1,022 hosts")] = False,
    as_yaml: Annotated[bool, typer.Option("--yaml", help="print devices to paste into the site file")] = False,
    as_json: AsJson = False,
) -> None:
    """Find devices in a subnet, gently."""
    from agent.cli.field.discovery import discover as run

    with _telling():
        raise typer.Exit(run(subnet, protocol or [], rate, timeout, really, _style(as_json, as_yaml)))


def import_(
    tags: Annotated[Path, typer.Argument(help="a tag list, CSV", show_default=False)],
    protocol: Annotated[str, typer.Option(help="of the device")],
    device: Annotated[str, typer.Option(help="of the site file, with --into")] = "",
    columns: Annotated[str, typer.Option(metavar="FIELD=COLUMN,…", help="columns that are called otherwise")] = "",
    into: Annotated[Path | None, typer.Option(help="add them to this site file, checked whole first")] = None,
    skip_bad: Annotated[bool, typer.Option(help="leave faulty lines out, and say which")] = False,
) -> None:
    """Make points of a tag list that another tool exported."""
    from agent.cli.field.importing import import_tags

    with _telling():
        if into is not None and not device:
            raise ValueError("--into needs --device: the name of the device that gets the points")
        raise typer.Exit(import_tags(tags, protocol, device, _columns(columns), into, skip_bad))


def record(
    where: Where,
    points: Points = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="the file to make")] = Path("plant.rec"),
    for_s: Annotated[float | None, typer.Option("--for", parser=_duration, metavar="DURATION", help="end then")] = None,
) -> None:
    """Record samples into a file, for rules and tests to replay."""
    from agent.cli.record import record as run
    from agent.logs import configure

    configure()
    with _telling():
        raise typer.Exit(run(where, points or [], out, for_s))


def recorded(file: Annotated[Path, typer.Argument(help="a recording", show_default=False)]) -> None:
    """Show what a recording holds."""
    from agent.cli.record import recorded as run

    with _telling():
        raise typer.Exit(run(file))


def register(app: typer.Typer) -> None:
    """Add the commands to ``anshao``."""
    for command in (browse, read, watch, discover, record, recorded):
        app.command()(command)
    app.command(context_settings={"ignore_unknown_options": True})(write)  # -5 is a value
    app.command("import")(import_)


def _style(as_json: bool, as_yaml: bool) -> str:
    return "json" if as_json else "yaml" if as_yaml else "table"


@contextmanager
def _telling() -> Iterator[None]:
    """Turn what goes wrong into a line and an exit status."""
    try:
        yield
    except BrokenPipeError:  # who read along, such as head, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(FAILED) from None
    except (ConfigError, NotConnected, Refused, ValueError, OSError) as error:
        sys.stderr.write(f"anshao: {error}\n")
        raise typer.Exit(FAILED) from error
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
