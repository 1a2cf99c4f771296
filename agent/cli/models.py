"""``anshao models list``, ``status``, ``shadow``, ``activate`` and ``rollback``: the models of the agent that runs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from agent.cli.asking import REFUSED, AsJson, Socket, Who, acting, duration, telling
from agent.cli.models_import import add_import
from agent.cli.models_signing import add_signing
from agent.cli.models_tables import comparison_of, list_of, name_of, status_of
from agent.cli.printing import finish, lines, tell
from agent.client import Client

app = typer.Typer(help="models of the cameras: import, evaluate, list, activate, roll back", no_args_is_help=True)
add_import(app)
add_signing(app)
_LIMIT_S = 300.0
"""A rehearsal, trials on a GPU and the start of a worker take their time on a slow PC."""
Camera = Annotated[str, typer.Option("--camera", help="whose model", show_default=False)]
Note = Annotated[str, typer.Option(help="why")]
Force = Annotated[bool, typer.Option("--force", help="even while an alarm of this camera is active")]
Older = Annotated[bool, typer.Option("--older", help="even if a newer one has worked here; --note says why")]


@app.command("list")
def list_(socket: Socket = None, as_json: AsJson = False) -> None:
    """Show which model each camera runs, and which are kept."""
    with telling():
        found = Client(socket).get("models")
    tell(found, as_json, lambda found: lines(list_of(found)))


@app.command()
def status(
    camera: Annotated[str, typer.Option("--camera", help="of this one only")] = "",
    socket: Socket = None,
    as_json: AsJson = False,
) -> None:
    """Show of each camera which model works since when and how, and how the last change went."""
    with telling():
        rows = Client(socket).get("models")["cameras"]
    if camera and camera not in {row["camera"] for row in rows}:
        sys.stderr.write(f"anshao: there is no camera {camera!r}\n")
        raise typer.Exit(REFUSED)
    shown = [row for row in rows if camera in ("", row["camera"])]
    tell(shown, as_json, lambda shown: lines(map(status_of, shown)))


@app.command()
def activate(
    model: Annotated[str, typer.Argument(help="a bundle's folder, or name/version of one that is kept")],
    camera: Camera,
    operator: Who = "",
    note: Note = "",
    force: Force = False,
    older: Annotated[
        bool, typer.Option("--older", help="even if a newer one has worked here; say why by --note")
    ] = False,
    socket: Socket = None,
    as_json: AsJson = False,
) -> None:
    """Let a camera go on with another model, on probation; refused, it changes nothing."""
    wanted = {"model": _named(model), "camera": camera, "force": force, "older": older}
    _act("activate", as_json, socket, **wanted, **acting(operator, note))


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


@app.command()
def shadow(
    camera: Camera,
    model: Annotated[str, typer.Argument(help="a bundle's folder, or name/version of one that is kept")] = "",
    for_s: Annotated[
        float, typer.Option("--for", parser=duration, metavar="DURATION", help="how long it looks")
    ] = 600.0,
    stop: Annotated[bool, typer.Option("--stop", help="end it now")] = False,
    operator: Who = "",
    note: Note = "",
    socket: Socket = None,
    as_json: AsJson = False,
) -> None:
    """Let another model look through a camera, driving nothing; without one, tell how the two compare."""
    who = acting(operator, note)
    with telling():
        if model:
            done = Client(socket, _LIMIT_S).post(
                "models/shadow", model=_named(model), camera=camera, for_s=for_s, **who
            )
        elif stop:
            done = Client(socket).post("models/shadow/stop", camera=camera, **who)["comparison"]
        else:
            done = Client(socket).get(f"models/shadow/{camera}")
    begun = f"looks through {camera} for {for_s:g} s; see: anshao models shadow --camera {camera}"
    finish(done, as_json, lambda done: print(f"{done['model']} {begun}" if model else comparison_of(done)))


def _named(model: str) -> str:
    """Return a folder here by its whole path; a name of one that is kept stays."""
    return str(Path(model).absolute()) if (Path(model) / "manifest.yaml").is_file() else model


def _act(what: str, as_json: bool, socket: Path | None, **body: Any) -> None:
    with telling():
        done = Client(socket, _LIMIT_S).post(f"models/{what}", **body)
    finish(done, as_json, lambda done: print(f"{done['camera']} runs {name_of(done['model'])} ({done['action']})"))
