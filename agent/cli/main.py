"""``anshao``: run a site, check one, and ask or tell the agent that runs."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from agent.cli import cameras, evidence, journal, opcua, operations, trials
from agent.cli import models as models_commands
from agent.cli import rules as rules_commands
from agent.cli.asking import AsJson, Socket, Who, duration, name_of
from agent.cli.asking import telling as _telling
from agent.cli.field import commands
from agent.cli.printing import as_data, tell
from agent.client import Client

app = typer.Typer(
    help="anshao 安哨: watches PLCs and cameras, sounds the siren on the spot. It is not a safety instrumented system.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.add_typer(opcua.app, name="opcua")
app.add_typer(journal.app, name="journal")
app.add_typer(evidence.app, name="evidence")
app.add_typer(rules_commands.app, name="rules")
app.add_typer(models_commands.app, name="models")


Site = Annotated[Path, typer.Argument(help="the site file", show_default=False)]
Seconds = Annotated[float, typer.Option(parser=duration, metavar="DURATION")]


@app.command()
def run(
    site: Site,
    state: Annotated[Path | None, typer.Option(help="folder of the journal")] = None,
    socket: Annotated[Path | None, typer.Option(help="where to listen for commands")] = None,
    verbose: Annotated[bool, typer.Option(help="log more")] = False,
) -> None:
    """Run a site until stopped."""
    from agent.app.main import main

    raise typer.Exit(main(site, state, socket, verbose))


@app.command()
def demo(
    for_s: Annotated[float | None, typer.Option("--for", parser=duration, metavar="DURATION", help="end after")] = None,
    json_path: Annotated[Path | None, typer.Option("--json", help="write the result here")] = None,
    camera: Annotated[str | None, typer.Option(help="file, rtsp://…, http://… or usb:0")] = None,
    hmi: Annotated[bool, typer.Option(help="start the operators' page")] = True,
    port: Annotated[int | None, typer.Option(help="of the operators' page")] = None,
) -> None:
    """Start a small plant and the agent, and tell what happens."""
    from agent.demo import main

    raise typer.Exit(main(for_s, json_path, camera, hmi, port))


@app.command()
def asyncapi() -> None:
    """Print the description of everything that goes over the broker: AsyncAPI with JSON Schema."""
    from agent.schema import asyncapi as document

    as_data(document())


@app.command()
def check(
    site: Site,
    connect: Annotated[bool, typer.Option(help="read each point once")] = False,
    raw: Annotated[
        bool, typer.Option("--raw", help="--connect, and the octets of registers, read in every way")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Name every fault of a site and its rules; with --connect, read each point once."""
    from agent.cli.check import check as run_check

    raise typer.Exit(run_check(site, connect, as_json, raw))


@app.command()
def hmi(
    socket: Socket = None,
    host: Annotated[str, typer.Option(help="address to listen on")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="port to listen on")] = 8080,
) -> None:
    """Serve the operators' page, a process of its own."""
    from agent.hmi import main

    raise typer.Exit(main(Client(socket).path, host, port))


@app.command()
def status(socket: Socket = None, as_json: AsJson = False) -> None:
    """Show the whole at a glance."""
    _show(socket, as_json, "status", "status")


@app.command()
def points(
    wanted: Annotated[str, typer.Argument(metavar="[TEXT]", help="only points whose id holds this")] = "",
    socket: Socket = None,
    as_json: AsJson = False,
) -> None:
    """Show live points."""
    _show(socket, as_json, "points", "points", lambda rows: [row for row in rows if wanted in row["id"]])


@app.command()
def alarms(
    everything: Annotated[bool, typer.Option("--all", help="normal ones too")] = False,
    socket: Socket = None,
    as_json: AsJson = False,
) -> None:
    """Show alarms, most urgent first."""
    _show(socket, as_json, f"alarms?all={int(everything)}", "alarms")


@app.command()
def ack(
    alarm: Annotated[str, typer.Argument(help="id, or 'all'")],
    operator: Who = "",
    note: Annotated[str, typer.Option(help="why, or what was done; P1 and P2 need it")] = "",
    socket: Socket = None,
) -> None:
    """Acknowledge an alarm: somebody knows and cares. On site it also resets a latched alarm that is over."""
    with _telling():
        client = Client(socket)
        waiting = [row["id"] for row in client.get("alarms") if "unacknowledged" in row["state"]]
        for each in waiting if alarm == "all" else [alarm]:
            done = client.post(f"alarms/{each}/acknowledge", operator=name_of(operator), via="cli", note=note)
            print(f"{each}: {'acknowledged' if done['acknowledged'] else 'there was nothing to acknowledge'}")


@app.command()
def silence(
    alarm: Annotated[str | None, typer.Argument(help="id; without one, all that sound")] = None,
    operator: Who = "",
    socket: Socket = None,
) -> None:
    """Stop the sound, and nothing else: it is not acknowledging."""
    with _telling():
        found = Client(socket).post("silence", operator=name_of(operator), via="cli", alarm=alarm)
        print(f"{found['silenced']} alarm(s) silenced")


@app.command("test-outputs")
def test_outputs(
    outputs: Annotated[list[str] | None, typer.Argument(help="names; without any, all")] = None,
    seconds: Seconds = 3.0,
    operator: Who = "",
    socket: Socket = None,
) -> None:
    """Switch sirens and lamps on for a moment; the events are marked as a test."""
    with _telling():
        Client(socket).post(
            "outputs/test", operator=name_of(operator), via="cli", seconds=seconds, outputs=outputs or None
        )
        print(f"testing for {seconds:g} s; 'anshao status' shows what was read back")


@app.command()
def events(
    limit: Annotated[int, typer.Option(help="how many")] = 20,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="go on as they happen")] = False,
    lane: Annotated[str | None, typer.Option(help="alarm, state, evidence or telemetry")] = None,
    socket: Socket = None,
    as_json: AsJson = False,
) -> None:
    """Show what the journal holds."""
    with _telling():
        client = Client(socket)
        for event in client.get(f"events?limit={limit}" + (f"&lane={lane}" if lane else "")):
            _print_event(event, as_json)
        for event in client.stream() if follow else ():
            if lane in (None, event["lane"]):
                _print_event(event, as_json)


@app.command()
def replay(
    recording: Annotated[Path, typer.Argument(help="what 'anshao record' wrote", show_default=False)],
    rules: Annotated[list[Path], typer.Option("--rules", help="rule files to try", show_default=False)],
    site: Annotated[Path | None, typer.Option(help="site file: its points and outputs are the only ones")] = None,
    against: Annotated[
        list[str] | None, typer.Option(help="rule files, 'site' (its rules; the default with --site) or 'journal'")
    ] = None,
    state: Annotated[Path | None, typer.Option(help="folder of the journal")] = None,
    as_json: AsJson = False,
    fail: Annotated[bool, typer.Option("--fail-on-difference", help="exit with 1 if anything differs")] = False,
) -> None:
    """Try rules on a recording: what would have been raised, and what would not."""
    from agent.cli.replay import replay as run_replay

    raise typer.Exit(run_replay(recording, rules, site, against or (), as_json, fail, state))


commands.register(app)
operations.register(app)
trials.register(app)
cameras.register(app)


def _print_event(event: dict[str, Any], as_json: bool) -> None:
    from agent.cli import tables

    print(json.dumps(event, ensure_ascii=False) if as_json else tables.event(event), flush=True)


def _show(
    socket: Path | None,
    as_json: bool,
    what: str,
    table: str,
    keep: Callable[[Any], Any] = lambda found: found,
) -> None:
    from agent.cli import tables  # rich takes 0.1 s: not for 'run'

    with _telling():
        client = Client(socket)
        found = keep(client.get(what))
        language = "en" if as_json or what == "status" else client.get("status")["gateway"]["language"]
        tell(found, as_json, lambda found: tables.show(getattr(tables, table)(found, language)))
