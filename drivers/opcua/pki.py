"""Certificates on disk: our own, whom we trust, and whom we turned away. Nothing is trusted unless somebody said so.

``own/`` holds our application's certificate and key, ``trusted/`` servers and authorities whose word is
enough, ``issuers/`` authorities between those and a server, ``crl/`` lists of what they revoked, and
``rejected/`` the last certificates that were refused (OPC UA Part 12, 7.4; Part 4, 6.1.3).
"""

from __future__ import annotations

import datetime
import ipaddress
import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

DAYS = 5 * 365
"""How long a certificate of ours is valid."""
MOST_REJECTED = 50
_LEAST_BITS = 2048
_LONGEST_CHAIN = 5
_STRANGER = "nobody has said that it is trusted"
_DER = serialization.Encoding.DER


class Untrusted(ValueError):  # noqa: N818
    """A certificate that is turned away, and why. Only a stranger's may be trusted by a command."""

    is_stranger = False


@dataclass(frozen=True)
class Stored:
    """A certificate, and the file that it is in."""

    path: Path
    certificate: x509.Certificate

    @property
    def fingerprint(self) -> str:
        """SHA-256 in hexadecimal digits."""
        return fingerprint(self.certificate)


class Pki:
    """The folder. Methods raise OSError when it cannot be read or written."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def certificate_file(self) -> Path:
        """Our own certificate, DER."""
        return self.folder / "own" / "anshao.der"

    @property
    def key_file(self) -> Path:
        """Our own key, PEM."""
        return self.folder / "own" / "anshao.key.pem"

    def own(self) -> Stored:
        """Return our own certificate, made at the first time."""
        if not self.certificate_file.exists() or not self.key_file.exists():
            self.make_own()
        return _load(self.certificate_file)

    def make_own(self) -> None:
        """Make a new key and certificate; the old ones are kept aside with the date of the change."""
        key = rsa.generate_private_key(public_exponent=65537, key_size=_LEAST_BITS)
        certificate = _self_signed(key)
        stamp = datetime.datetime.now(datetime.UTC).strftime("%Y%m%dT%H%M%S")
        for path in (self.certificate_file, self.key_file):
            if path.exists():
                path.rename(path.with_name(f"{stamp}-{path.name}"))
        form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        _write(self.key_file, key.private_bytes(*form), 0o600)
        _write(self.certificate_file, certificate.public_bytes(_DER), 0o644)

    def all(self, shelf: str) -> Iterator[Stored]:
        """Yield the certificates on a shelf (``trusted``, ``issuers``, ``rejected``); what is none is left out."""
        for path in sorted((self.folder / shelf).glob("*")):
            try:
                yield _load(path)
            except ValueError:
                continue

    def trust(self, certificate: x509.Certificate) -> Path:
        """Put a certificate among the trusted ones."""
        path = self.folder / "trusted" / f"{fingerprint(certificate)}.der"
        _write(path, certificate.public_bytes(_DER), 0o644)
        (self.folder / "rejected" / path.name).unlink(missing_ok=True)
        return path

    def untrust(self, wanted: str) -> list[Stored]:
        """Take out the trusted certificates whose fingerprint begins with ``wanted``, and return them."""
        found = [stored for stored in self.all("trusted") if stored.fingerprint.startswith(plain(wanted))]
        for stored in found:
            stored.path.unlink()
        return found

    def reject(self, certificate: x509.Certificate) -> None:
        """Keep a certificate that was turned away, so that it can be looked at and trusted; the oldest are dropped."""
        _write(self.folder / "rejected" / f"{fingerprint(certificate)}.der", certificate.public_bytes(_DER), 0o644)
        kept = sorted((self.folder / "rejected").glob("*.der"), key=lambda path: path.stat().st_mtime)
        for path in kept[:-MOST_REJECTED]:
            path.unlink(missing_ok=True)

    def check(self, certificate: x509.Certificate, uri: str, host: str | None, now: datetime.datetime) -> None:
        """Raise Untrusted unless a server with this application URI and host may show this certificate.

        ``host`` None: it is not compared.
        """
        if fault := _fault(certificate, uri, host, now) or self._chain_fault(certificate, now):
            error = Untrusted(fault)
            error.is_stranger = fault == _STRANGER
            raise error

    def _chain_fault(self, certificate: x509.Certificate, now: datetime.datetime) -> str:
        trusted = {stored.fingerprint: stored.certificate for stored in self.all("trusted")}
        issuers = [*trusted.values(), *(stored.certificate for stored in self.all("issuers"))]
        revoked = self._revoked()
        for _ in range(_LONGEST_CHAIN):
            if (certificate.issuer, certificate.serial_number) in revoked:
                return f"it was revoked by {certificate.issuer.rfc4514_string()}"
            if fingerprint(certificate) in trusted:
                return ""
            above = next((issuer for issuer in issuers if _issued(certificate, issuer)), None)
            if above is None or above == certificate or not _is_valid(above, now):
                break
            certificate = above
        return _STRANGER

    def _revoked(self) -> set[tuple[x509.Name, int]]:
        found: set[tuple[x509.Name, int]] = set()
        for path in sorted((self.folder / "crl").glob("*")):
            data = path.read_bytes()
            load = x509.load_pem_x509_crl if data.startswith(b"-----") else x509.load_der_x509_crl
            crl = load(data)
            found |= {(crl.issuer, entry.serial_number) for entry in crl}
        return found


def fingerprint(certificate: x509.Certificate) -> str:
    """Return the SHA-256 of a certificate in hexadecimal digits."""
    return certificate.fingerprint(hashes.SHA256()).hex()


def plain(text: str) -> str:
    """Return a fingerprint as it is compared: no colons or blanks, in small letters."""
    return text.replace(":", "").replace(" ", "").lower()


def uri_of(certificate: x509.Certificate) -> str:
    """Return the application URI that a certificate is for, empty if it names none."""
    return next(iter(_names(certificate, x509.UniformResourceIdentifier)), "")


def days_left(certificate: x509.Certificate, now: datetime.datetime) -> float:
    """Return the days until a certificate ends; negative when it has."""
    return (certificate.not_valid_after_utc - now).total_seconds() / 86400


def describe(certificate: x509.Certificate) -> str:
    """Say in a line whose certificate it is, and its fingerprint."""
    return f"{certificate.subject.rfc4514_string()}, SHA-256 {fingerprint(certificate)}"


def _fault(certificate: x509.Certificate, uri: str, host: str | None, now: datetime.datetime) -> str:
    if not _is_valid(certificate, now):
        span = f"{certificate.not_valid_before_utc:%Y-%m-%d} to {certificate.not_valid_after_utc:%Y-%m-%d}"
        return f"it is valid from {span} only; is the clock right?"
    if uri_of(certificate) != uri:
        return f"it is for {uri_of(certificate) or 'no application'!r}, and the server says that it is {uri!r}"
    key = certificate.public_key()
    if not isinstance(key, rsa.RSAPublicKey) or key.key_size < _LEAST_BITS:
        return f"its key is too weak; an RSA key of {_LEAST_BITS} bits or more is needed"
    if host is not None and not _names_host(certificate, host):
        names = [*_names(certificate, x509.DNSName), *_names(certificate, x509.IPAddress)]
        return (
            f"it does not name the host {host}, but {', '.join(names) or 'none'}; write the host that it names in "
            "'endpoint', ask for one that names this host, or write 'check_host: false'"
        )
    return ""


def _is_valid(certificate: x509.Certificate, now: datetime.datetime) -> bool:
    return certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc


def _names_host(certificate: x509.Certificate, host: str) -> bool:
    names = {name.lower() for name in _names(certificate, x509.DNSName)}
    return host.lower() in names | set(_names(certificate, x509.IPAddress))


def _names(certificate: x509.Certificate, kind: type[x509.GeneralName]) -> list[str]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    return [str(name.value) for name in names if isinstance(name, kind)]


def _issued(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        constraints = issuer.extensions.get_extension_for_class(x509.BasicConstraints).value
        certificate.verify_directly_issued_by(issuer)
    except (x509.ExtensionNotFound, ValueError, TypeError, InvalidSignature):
        return False
    return constraints.ca


def _self_signed(key: rsa.RSAPrivateKey) -> x509.Certificate:
    host = socket.gethostname()
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"anshao on {host}"[:64])])
    now = datetime.datetime.now(datetime.UTC)
    usage = x509.KeyUsage(True, True, True, True, False, True, False, False, False)
    purposes = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])
    names = [x509.UniformResourceIdentifier(f"urn:{host}:anshao"), x509.DNSName(host), *_addresses(host)]
    public = key.public_key()
    return (
        x509.CertificateBuilder(name, name, public, x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))  # the clocks of others may be behind
        .not_valid_after(now + datetime.timedelta(days=DAYS))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(purposes, critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(public), critical=False)
        .sign(key, hashes.SHA256())
    )


def _addresses(host: str) -> list[x509.GeneralName]:
    try:
        return [x509.IPAddress(ipaddress.ip_address(socket.gethostbyname(host)))]
    except OSError:
        return []


def _load(path: Path) -> Stored:
    data = path.read_bytes()
    load = x509.load_pem_x509_certificate if data.startswith(b"-----") else x509.load_der_x509_certificate
    return Stored(path, load(data))


def _write(path: Path, data: bytes, mode: int) -> None:
    """Write a file whole or not at all, with its mode from the first moment on."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o750)
    new = path.with_name(f".{path.name}.{os.getpid()}")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    new.rename(path)
