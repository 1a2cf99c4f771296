"""What every command that asks the agent has in common."""

from __future__ import annotations

import getpass
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from agent.client import AgentAway, AgentRefused
from agent.core.durations import parse_duration

Socket = Annotated[Path | None, typer.Option(help="the agent's socket", envvar="ANSHAO_SOCKET", show_default=False)]
AsJson = Annotated[bool, typer.Option("--json", help="print JSON, for programs")]
Who = Annotated[str, typer.Option("--operator", help="who acts; goes into the journal")]
REFUSED, AWAY = 1, 3


def name_of(operator: str) -> str:
    """Return who acts: the one who is named, or whoever is logged in."""
    return operator or getpass.getuser()


def acting(operator: str, note: str) -> dict[str, str]:
    """Return what a request says of who acts, and why."""
    return {"operator": name_of(operator), "via": "cli", "note": note}


def duration(text: str | float) -> float:
    """Read a duration, in seconds; also a default, which typer hands over as it is."""
    if isinstance(text, float):
        return text
    try:
        return parse_duration(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


@contextmanager
def telling() -> Iterator[None]:
    """Turn what the client raises into one line and an exit status."""
    try:
        yield
    except (AgentAway, AgentRefused) as error:
        sys.stderr.write(f"anshao: {error}\n")
        raise typer.Exit(AWAY if isinstance(error, AgentAway) else REFUSED) from error
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
