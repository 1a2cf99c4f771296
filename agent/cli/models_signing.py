"""``anshao models keygen`` and ``sign``: for who makes bundles, on a PC of their own; no agent is asked."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from agent.core.errors import ConfigError, NotAllowed


def add_signing(app: typer.Typer) -> None:
    """Add the commands to the group ``models``."""
    app.command()(keygen)
    app.command()(sign)


def keygen(
    key: Annotated[Path, typer.Argument(help="where to write the private key; keep it off the gateways")],
    name: Annotated[str, typer.Option(help="whose it is, in site.yaml")] = "maker",
    encrypt: Annotated[bool, typer.Option("--encrypt", help="ask for a passphrase")] = False,
) -> None:
    """Make a pair of keys: the private one signs bundles, the public one goes into each site.yaml."""
    from agent.core.signatures import new_key

    passphrase = typer.prompt("passphrase", hide_input=True, confirmation_prompt=True) if encrypt else ""
    pem, public = new_key(passphrase)
    try:
        with os.fdopen(os.open(key, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(pem)
    except OSError as error:
        _refuse(f"{key}: {error.strerror}; an existing key is not overwritten")
    print(f"models:\n  trusted_keys:\n    {name}: {public}")


def sign(
    bundle: Annotated[Path, typer.Argument(help="folder of the bundle")],
    key: Annotated[Path, typer.Option("--key", help="the private key", show_default=False)],
) -> None:
    """Sign a bundle whose files are those that its manifest names; its other signatures stay."""
    from agent.core.signatures import sign as made
    from models.bundle import load_bundle
    from models.signers import add_signature

    try:
        title = load_bundle(bundle).title
        pem = key.read_bytes()
        passphrase = typer.prompt("passphrase", hide_input=True) if b"ENCRYPTED" in pem else ""
        signature, public = made((bundle / "manifest.yaml").read_bytes(), pem, passphrase)
        add_signature(bundle, signature)
    except (ConfigError, NotAllowed, OSError) as error:
        _refuse(str(error))
    print(f"{title} is signed; who trusts {public} takes it")


def _refuse(reason: str) -> NoReturn:
    sys.stderr.write(f"anshao: {reason}\n")
    raise typer.Exit(1)
