"""``anshao opcua …``: whom we trust, and who we are. Works beside a running agent, which looks at every connect."""

from __future__ import annotations

import asyncio
import datetime
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agent.core.errors import ConfigError, NotConnected

if TYPE_CHECKING:
    from cryptography import x509
    from rich.table import Table

    from agent.site import Site
    from drivers.opcua.device import OpcUaDevice
    from drivers.opcua.pki import Pki, Stored

app = typer.Typer(help="Certificates of OPC UA: whom we trust, and who we are.", no_args_is_help=True)
SiteFile = Annotated[Path, typer.Argument(help="the site file", show_default=False)]
Device = Annotated[str, typer.Argument(help="id of an OPC UA device of the site", show_default=False)]
FAILED = 1


@app.command()
def trust(
    site: SiteFile,
    device: Device,
    fingerprint: Annotated[str, typer.Option(help="SHA-256 that the server's engineer told you")] = "",
    yes: Annotated[bool, typer.Option("--yes", help="trust what is shown, without a question")] = False,
) -> None:
    """Show the certificate of a device's server, and trust it."""
    from drivers.opcua.pki import plain

    with _telling():
        options, pki = _device(_load(site), device)
        for found in _shown_by(options):
            print(_about(found))
            _check_fingerprint(found, plain(fingerprint))
            if not (yes or fingerprint) and not typer.confirm("Trust it?"):
                raise typer.Exit(FAILED)
            print(f"trusted: {pki.trust(found)}")


@app.command()
def untrust(site: SiteFile, fingerprint: Annotated[str, typer.Argument(help="SHA-256, or its beginning")]) -> None:
    """Trust a certificate no more; connections end at their next start."""
    with _telling():
        found = [each for pki in _all(_load(site)) for each in pki.untrust(fingerprint)]
        for each in found:
            print(f"not trusted any more: {each.certificate.subject.rfc4514_string()}")
        if not found:
            raise ValueError(f"no trusted certificate has a fingerprint that begins with {fingerprint!r}")


@app.command()
def certificates(site: SiteFile) -> None:
    """List all certificates: ours, the trusted ones, and those that were refused."""
    from rich.table import Table

    from agent.cli import tables

    with _telling():
        table = Table("shelf", "subject", "days left", "SHA-256", box=None, header_style="dim")
        for pki in _all(_load(site)):
            own = [pki.own()] if pki.certificate_file.exists() else []
            _rows(table, "own", own)
            for shelf in ("trusted", "issuers", "rejected"):
                _rows(table, shelf, list(pki.all(shelf)))
        tables.show(table)


@app.command()
def own(
    site: SiteFile,
    export: Annotated[Path | None, typer.Option(help="write it here, for the server's administrator")] = None,
) -> None:
    """Show our own certificate; it is made at the first time."""
    with _telling():
        for pki in _all(_load(site)):
            print(_about(pki.own().certificate))
            print(pki.certificate_file)
            if export is not None:
                shutil.copyfile(pki.certificate_file, export)
                print(f"written to {export}; let the server trust it")


@app.command()
def rotate(site: SiteFile) -> None:
    """Make a new certificate and key of ours; the old ones are kept aside. Servers must trust the new one."""
    with _telling():
        for pki in _all(_load(site)):
            pki.make_own()
            print(_about(pki.own().certificate))
            print(f"{pki.certificate_file}: hand it to the servers' administrators")


@app.command()
def endpoints(url: Annotated[str, typer.Argument(help="opc.tcp://HOST:PORT/PATH")]) -> None:
    """Show how a server can be talked to: policies, modes, and ways to log in."""
    from rich.table import Table

    from agent.cli import tables

    with _telling():
        from drivers.opcua.client import endpoints_of

        table = Table("policy", "mode", "log in by", box=None, header_style="dim")
        for each in asyncio.run(endpoints_of(url, 5.0)):
            tokens = sorted({token.TokenType.name for token in each.UserIdentityTokens})
            table.add_row(str(each.SecurityPolicyUri).rpartition("#")[2], each.SecurityMode.name, ", ".join(tokens))
        tables.show(table)


def _load(site: Path) -> Site:
    from agent.config import load_site
    from drivers import REGISTRY
    from models import CAMERA

    return load_site(site, REGISTRY, CAMERA)


def _device(site: Site, name: str) -> tuple[OpcUaDevice, Pki]:
    from drivers.opcua.device import OpcUaDevice
    from drivers.opcua.pki import Pki

    known = {id_: config.options for id_, config in site.devices.items() if isinstance(config.options, OpcUaDevice)}
    if name not in known:
        raise ValueError(f"{name!r} is no OPC UA device of the site; known are {', '.join(sorted(known)) or 'none'}")
    return known[name], Pki(known[name].folder)


def _all(site: Site) -> list[Pki]:
    """Return the folders of certificates that the site's devices use."""
    from drivers.opcua.device import OpcUaDevice
    from drivers.opcua.pki import Pki

    options = [config.options for config in site.devices.values()]
    folders = dict.fromkeys(each.folder for each in options if isinstance(each, OpcUaDevice))
    if not folders:
        raise ValueError("the site has no OPC UA device")
    return [Pki(folder) for folder in folders]


def _shown_by(options: OpcUaDevice) -> Iterator[x509.Certificate]:
    """Yield the certificates that a device's servers show for what the site asks of them."""
    from drivers.opcua.client import certificate_of, choose, endpoints_of

    if options.security == "none":
        raise ValueError("the device has 'security: none', so that no certificate matters; leave it out first")
    seen = set()
    for endpoint in options.endpoint:
        _, _, chosen = choose(options, asyncio.run(endpoints_of(endpoint, options.timeout)))
        found = certificate_of(chosen)
        if found is not None and found not in seen:
            seen.add(found)
            yield found


def _check_fingerprint(found: x509.Certificate, wanted: str) -> None:
    from drivers.opcua.pki import fingerprint

    if wanted and fingerprint(found) != wanted:
        raise ValueError("the server shows another certificate than the one that you name: do not trust it")


def _about(certificate: x509.Certificate) -> str:
    from drivers.opcua.pki import fingerprint, uri_of

    end = f"{certificate.not_valid_before_utc:%Y-%m-%d} to {certificate.not_valid_after_utc:%Y-%m-%d}"
    return (
        f"subject      {certificate.subject.rfc4514_string()}\n"
        f"issuer       {certificate.issuer.rfc4514_string()}\n"
        f"application  {uri_of(certificate)}\n"
        f"valid        {end}\n"
        f"SHA-256      {fingerprint(certificate)}"
    )


def _rows(table: Table, shelf: str, stored: list[Stored]) -> None:
    from drivers.opcua.pki import days_left

    now = datetime.datetime.now(datetime.UTC)
    for each in stored:
        days = f"{days_left(each.certificate, now):.0f}"
        table.add_row(shelf, each.certificate.subject.rfc4514_string(), days, each.fingerprint)


@contextmanager
def _telling() -> Iterator[None]:
    """Turn what goes wrong into a line and an exit status."""
    try:
        yield
    except (ConfigError, NotConnected, ValueError, OSError) as error:
        sys.stderr.write(f"anshao: {error}\n")
        raise typer.Exit(FAILED) from error
