"""``anshao cameras``: what is wrong with their pictures, what they watched, and which view is right."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from agent.cli.asking import AsJson, Socket, Who, acting, telling
from agent.cli.printing import tell
from agent.client import Client

app = typer.Typer(help="Cameras: health, coverage, the right view.", no_args_is_help=True)


@app.command("list")
def list_cameras(socket: Socket = None, as_json: AsJson = False) -> None:
    """Show each camera's pace, counters, and what is wrong with its picture."""
    with telling():
        client = Client(socket)
        cameras, points = client.get("status")["cameras"], client.get("points")
    rows = [{"id": row["id"], **_health(row["id"], points)} for row in cameras]
    from agent.cli import tables  # rich takes 0.1 s

    tell(rows, as_json, lambda rows: tables.show(tables.cameras(rows)))


@app.command()
def coverage(socket: Socket = None, as_json: AsJson = False) -> None:
    """Show how many minutes of each shift each rule's cameras really watched."""
    with telling():
        found = Client(socket).get("coverage")
    from agent.cli import tables

    tell(found, as_json, lambda found: tables.show(tables.coverage(found)))


@app.command()
def accept(
    camera: Annotated[str, typer.Argument(help="id", show_default=False)],
    reason: Annotated[str, typer.Option("--reason", help="why; goes into the journal")] = "",
    operator: Who = "",
    socket: Socket = None,
) -> None:
    """Take what a moved camera sees now for its right view; check first that its zones still fit."""
    with telling():
        Client(socket).post(f"cameras/{camera}/accept", **acting(operator, reason))
        print(f"{camera}: its view is learnt anew, from pictures without people")


def _health(camera: str, points: list[dict[str, Any]]) -> dict[str, Any]:
    from models.options import COUNTERS, PACES  # pydantic takes its time: not for every command
    from models.trust.faults import PictureFault

    own = {row["id"].partition(".")[2]: row for row in points if row["id"].startswith(f"{camera}.")}
    faults = [str(name) for name in ("sparse", *PictureFault) if own.get(name, {}).get("value") is True]
    numbers = {name: own[name]["value"] for name in (*PACES[:3], *COUNTERS) if name in own}
    return {**numbers, "ok": own["camera_ok"]["value"], "faults": faults, "reason": own["camera_ok"]["reason"] or ""}


def register(main: typer.Typer) -> None:
    """Add the commands to ``anshao``."""
    main.add_typer(app, name="cameras")
