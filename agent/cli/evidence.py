"""``anshao evidence …``: pictures and clips of alarms."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agent.cli.asking import REFUSED, AsJson, Socket, Who, name_of, telling
from agent.cli.printing import lines, tell
from agent.client import Client

if TYPE_CHECKING:
    from rich.table import Table

app = typer.Typer(help="Pictures and clips of alarms.", no_args_is_help=True)
_LIMIT_S = 600.0
"""Hashing a full disk takes its time."""
Id = Annotated[str, typer.Argument(metavar="ID", help="as 'anshao evidence list' shows it", show_default=False)]


@app.command("list")
def list_(
    alarm: Annotated[str, typer.Option(help="of this alarm only")] = "",
    socket: Socket = None,
    as_json: AsJson = False,
) -> None:
    """Show what evidence there is, the oldest first."""
    from agent.cli import tables

    with telling():
        rows = Client(socket).get("evidence" + (f"?alarm={alarm}" if alarm else ""))
    tell(rows, as_json, lambda rows: tables.show(_table(rows)))


@app.command()
def export(
    id_: Id,
    to: Annotated[Path, typer.Argument(help="file to write", show_default=False)],
    original: Annotated[bool, typer.Option("--original", help="with faces, for who may see them")] = False,
    operator: Who = "",
    socket: Socket = None,
) -> None:
    """Write a picture or a clip to a file; one that is not what it was when it was taken is refused."""
    with telling():
        who = {"operator": name_of(operator), "via": "cli"} if original else None
        content = Client(socket, _LIMIT_S).content(f"evidence/{id_}", who)
    try:
        to.write_bytes(content)
    except OSError as error:
        sys.stderr.write(f"anshao: {to}: {error.strerror}\n")
        raise typer.Exit(REFUSED) from error
    print(f"{to}: {len(content)} bytes")


@app.command()
def send(id_: Id, operator: Who = "", socket: Socket = None) -> None:
    """Send a picture or a clip to the centre, now or again."""
    with telling():
        done = Client(socket).post(f"evidence/{id_}/send", operator=name_of(operator), via="cli")
    print(f"{id_}: goes out in {done['parts']} part(s)")


@app.command()
def verify(socket: Socket = None, as_json: AsJson = False) -> None:
    """Compare every file with the sha256 in its event; exits with 1 if one is missing or altered."""
    with telling():
        found = Client(socket, _LIMIT_S).get("evidence/verify")
    faulty = [each for each in found if each["fault"]]
    told = (*(f"{each['id']}: {each['fault']}" for each in faulty), f"{len(found)} file(s), {len(faulty)} not sound")
    tell(found, as_json, lambda _: lines(told))
    if faulty:
        raise typer.Exit(REFUSED)


def _table(rows: list[dict[str, Any]]) -> Table:
    from rich.table import Table

    table = Table("id", "kind", "taken", "alarm", "camera", "bytes", "faces", "until", box=None, header_style="dim")
    for row in rows:
        faces = "pixelated" if row["blurred"] else "shown"
        whose = (row["alarm_id"], row["camera"], str(row["bytes"]), faces)
        table.add_row(row["id"], row["kind"], row["taken_at"][:19], *whose, row["expires_at"][:10])
    return table
