"""``anshao models list``, ``activate`` and ``rollback``: the models of the agent that runs."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from agent.cli.asking import REFUSED, AsJson, Socket, Who, acting, telling
from agent.cli.models_import import add_import
from agent.client import Client

app = typer.Typer(help="models of the cameras: import, evaluate, list, activate, roll back", no_args_is_help=True)
add_import(app)
_LIMIT_S = 180.0
"""A rehearsal and the start of a worker take their time on a slow PC."""
Camera = Annotated[str, typer.Option("--camera", help="whose model", show_default=False)]
Note = Annotated[str, typer.Option(help="why")]
Force = Annotated[bool, typer.Option("--force", help="even while an alarm of this camera is active")]


@app.command("list")
def list_(socket: Socket = None, as_json: AsJson = False) -> None:
    """Show which model each camera runs, and which are kept."""
    with telling():
        found = Client(socket).get("models")
    if as_json:
        print(json.dumps(found, indent=1, ensure_ascii=False))
        return
    for row in found["cameras"]:
        left = "" if row["probation_s"] is None else f", on probation for {row['probation_s']:.0f} s more"
        print(f"{row['camera']}: {row['model'] or 'the model of site.yaml'}, {row['latency_ms']:g} ms{left}")
    print(f"kept: {', '.join(found['kept']) or 'none'}")


@app.command()
def activate(
    model: Annotated[str, typer.Argument(help="a bundle's folder, or name/version of one that is kept")],
    camera: Camera,
    operator: Who = "",
    note: Note = "",
    force: Force = False,
    socket: Socket = None,
    as_json: AsJson = False,
) -> None:
    """Let a camera go on with another model, on probation; refused, it changes nothing."""
    named = str(Path(model).absolute()) if (Path(model) / "manifest.yaml").is_file() else model
    _act("activate", as_json, socket, model=named, camera=camera, force=force, **acting(operator, note))


@app.command()
def rollback(
    camera: Camera,
    operator: Who = "",
    note: Note = "",
    force: Force = False,
    socket: Socket = None,
    as_json: AsJson = False,
) -> None:
    """Let a camera go on with the model before."""
    _act("rollback", as_json, socket, camera=camera, force=force, **acting(operator, note))


def _act(what: str, as_json: bool, socket: Path | None, **body: Any) -> None:
    with telling():
        done = Client(socket, _LIMIT_S).post(f"models/{what}", **body)
    refused = done["action"] == "rejected"
    if as_json:
        print(json.dumps(done, indent=1, ensure_ascii=False))
    elif refused:
        sys.stderr.write(f"rejected, nothing was changed: {done['reason']}\n")
    else:
        print(f"{done['camera']} runs {done['model'] or 'the model of site.yaml'} ({done['action']})")
    raise typer.Exit(REFUSED if refused else 0)
