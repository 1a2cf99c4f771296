"""``anshao self-test``, ``confirm-test`` and ``proof-test``: prove that the sirens sound."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from agent.cli.asking import AsJson, Socket, Who, name_of, telling
from agent.cli.printing import lines, tell
from agent.client import Client

_PROOF_LIMIT_S = 300.0


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("self-test")(self_test)
    app.command("confirm-test")(confirm_test)
    app.command("proof-test")(proof_test)


def self_test(operator: Who = "", socket: Socket = None) -> None:
    """Switch every siren and lamp on in turn, now; the result is an event."""
    with telling():
        Client(socket).post("self-test", operator=name_of(operator), via="cli")
        print("testing; then say what you heard with 'anshao confirm-test'")


def confirm_test(
    heard: Annotated[bool, typer.Option("--heard/--not-heard", help="what you heard and saw")] = True,
    operator: Who = "",
    note: Annotated[str, typer.Option(help="what was missing")] = "",
    socket: Socket = None,
) -> None:
    """Confirm that the last self-test was heard and seen, or that it was not."""
    with telling():
        done = Client(socket).post("self-test/confirm", operator=name_of(operator), via="cli", heard=heard, note=note)
        print("confirmed" if done["confirmed"] else "there was no self-test to confirm")
        if not done["confirmed"]:
            raise typer.Exit(1)


def proof_test(
    camera: Annotated[str, typer.Argument(help="a camera, or 'all'")],
    operator: Who = "",
    socket: Socket = None,
    as_json: AsJson = False,
) -> None:
    """Show a golden picture to a camera's worker, and see the siren sound; the real rules, with nobody in danger."""
    with telling():
        wanted = None if camera == "all" else camera
        client = Client(socket, timeout_s=_PROOF_LIMIT_S)
        proofs = client.post("proof-test", operator=name_of(operator), via="cli", camera=wanted)["proofs"]
    tell(proofs, as_json, lambda proofs: lines(map(_proved, proofs)))
    if not all(proof["passed"] for proof in proofs):
        raise typer.Exit(1)


def _proved(proof: dict[str, Any]) -> str:
    legs = ", ".join(f"{name} {value:g} ms" for name, value in proof["legs_ms"].items())
    return f"{proof['camera']}: {'passed' if proof['passed'] else 'FAILED: ' + proof['reason']} ({legs})"
