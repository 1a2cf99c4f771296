"""``anshao rules status``, ``push``, ``rollback``, ``history`` and ``diff``: the rules of the agent that runs."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from agent.cli.asking import REFUSED, AsJson, Socket, Who, acting, telling
from agent.cli.printing import finish, lines, tell
from agent.client import Client

_STAGING_LIMIT_S = 120.0
"""Scenario tests of a large set take their time."""
Note = Annotated[str, typer.Option(help="why")]
Force = Annotated[bool, typer.Option("--force", help="even if a P1 or P2 alarm that is active would be gone")]
Files = Annotated[list[Path], typer.Argument(help="the whole set, in order", show_default=False)]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    for name, command in (("status", status), ("push", push), ("rollback", rollback), ("history", history),
                          ("diff", diff)):  # fmt: skip
        app.command(name)(command)


def status(socket: Socket = None, as_json: AsJson = False) -> None:
    """Show which rules run, and why those on disk do not; exit with 1 if they do not."""
    with telling():
        found = Client(socket).get("rules")
    tell(found, as_json, lambda found: lines(_status(found)))
    raise typer.Exit(0 if found["in_step"] else REFUSED)


def push(
    files: Files,
    operator: Who = "",
    note: Note = "",
    force: Force = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="only tell what it would change")] = False,
    socket: Socket = None,
    as_json: AsJson = False,
) -> None:
    """Let a set of rule files run, with what they include and the tests beside them; refused, it changes nothing."""
    from agent.app.rulesets.bundle import gather  # YAML and pydantic take their time: not for every command

    bundle = gather(files)
    if bundle.missing:
        sys.stderr.write("".join(f"{fault}\n" for fault in bundle.faults()))
        raise typer.Exit(REFUSED)
    try:
        content = {name: data.decode() for name, data in bundle.files.items()}
    except UnicodeDecodeError as error:
        raise typer.BadParameter("a file is not UTF-8 text") from error
    body = {"rules": list(bundle.rules), "files": content, "rehearse": dry_run, "force": force}
    with telling():
        done = Client(socket, _STAGING_LIMIT_S).post("rules/push", **body, **acting(operator, note))
    finish(done, as_json, _tell_change)


def rollback(
    operator: Who = "", note: Note = "", force: Force = False, socket: Socket = None, as_json: AsJson = False
) -> None:
    """Go one step back: the set that ran before runs again, until the files change or one is pushed."""
    with telling():
        done = Client(socket, _STAGING_LIMIT_S).post("rules/rollback", force=force, **acting(operator, note))
    finish(done, as_json, _tell_change)


def history(socket: Socket = None, as_json: AsJson = False) -> None:
    """Show which sets ran, and who let them."""
    with telling():
        found = Client(socket).get("rules/history")
    tell(found, as_json, lambda found: lines(_history(found)))


def _history(found: dict[str, Any]) -> Iterator[str]:
    for entry in found["log"]:
        who = " ".join(filter(None, (entry["operator"], f"({entry['via']})", entry["note"])))
        yield f"{entry['at'][:19]}  {entry['revision']}  {entry['action']:<11}  {who}"
    yield f"to go back to, the latest first: {', '.join(reversed(found['stack'][:-1])) or 'none'}"


def diff(
    revision: Annotated[str, typer.Argument(help="of the history", show_default=False)],
    socket: Socket = None,
    as_json: AsJson = False,
) -> None:
    """Show what would change if a set of the history ran again."""
    with telling():
        found = Client(socket, _STAGING_LIMIT_S).get(f"rules/difference/{revision}")
    tell(found, as_json, lambda found: lines(found["lines"] or ["no difference"]))


def _status(found: dict[str, Any]) -> list[str]:
    lines, refused = [f"{found['revision']} runs"], found["rejected"]
    if refused is not None:
        lines += [f"the files on disk ({refused['revision']}) are rejected: {refused['reason']}", *refused["faults"]]
    elif not found["in_step"]:
        lines.append(f"the files on disk ({found['disk']}) are others: a set was pushed or rolled back after them")
    return lines


def _tell_change(done: dict[str, Any]) -> None:
    lines(done["lines"] or ["no alarm differs"])
    runs = f"{done['previous']} goes on" if done["action"] == "tried" else f"{done['revision']} runs"
    print(runs if done["kept"] else f"{runs}, but could not be kept: after a restart {done['previous']} runs")
