"""What people do with alarms beside acknowledging: shelf, service, figures."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from agent.cli.asking import AsJson, Socket, Who, duration, name_of, telling
from agent.cli.printing import tell
from agent.client import Client
from agent.core.durations import format_duration

Alarm = Annotated[str, typer.Argument(help="id", show_default=False)]
Reason = Annotated[str, typer.Option("--reason", help="why; goes into the journal", show_default=False)]


def shelve(
    alarm: Alarm,
    for_s: Annotated[float, typer.Option("--for", parser=duration, metavar="DURATION", help="P2 30min, P3 8h at most")],
    reason: Reason,
    operator: Who = "",
    socket: Socket = None,
) -> None:
    """Put an alarm away for a while; it is still evaluated, and comes back by itself."""
    with telling():
        _post(socket, f"alarms/{alarm}/shelve", operator, note=reason, seconds=for_s)
        print(f"{alarm}: shelved for {format_duration(for_s)}; 'anshao unshelve {alarm}' takes it back")


def unshelve(
    alarm: Alarm,
    reason: Annotated[str, typer.Option("--reason", help="why")] = "",
    operator: Who = "",
    socket: Socket = None,
) -> None:
    """Take an alarm off its shelf; if it is active it calls as if it were new."""
    with telling():
        done = _post(socket, f"alarms/{alarm}/unshelve", operator, note=reason)["unshelved"]
        print(f"{alarm}: {'back from its shelf' if done else 'lay on no shelf'}")


def out_of_service(
    alarm: Alarm,
    second: Annotated[str, typer.Option("--with", help="the second person, who agreed")],
    reason: Reason,
    operator: Who = "",
    socket: Socket = None,
) -> None:
    """Take an alarm out of service for a repair, until somebody brings it back; two persons agree on it."""
    with telling():
        _post(socket, f"alarms/{alarm}/out-of-service", operator, note=reason, second=second)
        print(f"{alarm}: OUT OF SERVICE; it calls nobody until 'anshao in-service {alarm}'")


def in_service(
    alarm: Alarm,
    reason: Annotated[str, typer.Option("--reason", help="what was done")] = "",
    operator: Who = "",
    socket: Socket = None,
) -> None:
    """Put an alarm into service again; if it is active it calls as if it were new."""
    with telling():
        done = _post(socket, f"alarms/{alarm}/in-service", operator, note=reason)["in_service"]
        print(f"{alarm}: {'in service again' if done else 'was in service'}")


def shelved(socket: Socket = None, as_json: AsJson = False) -> None:
    """Show the alarms that call nobody now: shelved, suppressed by design, out of service."""
    _show(socket, "removed", "removed", as_json)


def kpi(socket: Socket = None, as_json: AsJson = False) -> None:
    """Show how the alarms treat their operators: rates, top ten, chatter, floods, time to acknowledge."""
    _show(socket, "kpi", "kpi", as_json)


def register(app: typer.Typer) -> None:
    """Add the commands to ``anshao``."""
    for command in (shelve, unshelve, shelved, kpi):
        app.command()(command)
    app.command("out-of-service")(out_of_service)
    app.command("in-service")(in_service)


def _post(socket: Path | None, what: str, operator: str, **body: object) -> Any:
    return Client(socket).post(what, operator=name_of(operator), via="cli", **body)


def _show(socket: Path | None, what: str, table: str, as_json: bool) -> None:
    from agent.cli import kpi_tables, tables  # rich takes 0.1 s

    with telling():
        client = Client(socket)
        found = client.get(what)
        language = "en" if as_json else client.get("status")["gateway"]["language"]
        tell(found, as_json, lambda found: tables.show(getattr(kpi_tables, table)(found, language)))
