"""Certificates: read before they are used, and what is wrong with them said in words."""

from __future__ import annotations

import ssl
import stat
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography import x509

from agent.links.address import is_encrypted
from agent.links.options import LinkOptions

_CLOCK = "or this PC's clock is wrong"
_HUNG_UP = "it hung up on TLS; is that the port with TLS, and does it take our certificate (or ask for one)?"
_VERIFY = {
    9: f"its certificate is not valid yet; {_CLOCK}",
    10: f"its certificate has expired; renew it there, {_CLOCK}",
    18: "its certificate is signed by itself; name it, or who should have signed it, in 'ca_file'",
    19: "its certificate was signed by somebody whom 'ca_file' does not name",
    20: "its certificate was signed by somebody whom 'ca_file' does not name",
    21: "its certificate was signed by somebody whom 'ca_file' does not name",
    62: "its certificate is for another host",
    64: "its certificate is for another address",
}
"""By OpenSSL's number of what it found."""
_ALERTS = {
    "CERTIFICATE_REQUIRED": "it asks for a certificate of ours; give 'certificate' and 'key'",
    "CERTIFICATE_EXPIRED": f"it says that our certificate has expired; renew it, {_CLOCK}",
    "CERTIFICATE_REVOKED": "it says that our certificate was revoked; get another one",
    "UNKNOWN_CA": "it does not know who signed our certificate; let its own authority sign it",
    "BAD_CERTIFICATE": "it does not accept our certificate",
    "CERTIFICATE_UNKNOWN": "it does not accept our certificate",
    "HANDSHAKE_FAILURE": "it wants none of our ciphers, or a certificate of ours",
    "EOF_OCCURRED": _HUNG_UP,
    "CONNECTION_RESET": _HUNG_UP,
    "BROKEN_PIPE": _HUNG_UP,
    "WRONG_VERSION_NUMBER": "nobody speaks TLS there; is that the port with TLS?",
}
"""By a part of OpenSSL's name of what the other side said."""


@dataclass(frozen=True)
class Papers:
    """What a connection shows and asks for: ``secret`` is a broker's password, or the token of a webhook."""

    context: ssl.SSLContext | None = None
    secret: str | None = None


def papers(options: LinkOptions, end: str, now: datetime) -> Papers:
    """Read all files that a connection to ``end`` needs; a disk may keep one waiting, so not in the event loop.

    Raises ValueError, OSError: which file is wrong, and how.
    """
    return Papers(context(options, now) if is_encrypted(end) else None, options.secret())


def context(options: LinkOptions, now: datetime) -> ssl.SSLContext:
    """Return what TLS needs. Raises ValueError that says which file is wrong, and how; ``now`` is UTC."""
    try:
        made = ssl.create_default_context(cafile=options.ca_file)
    except ssl.SSLError as error:
        raise ValueError(f"ca_file {options.ca_file}: no certificate in PEM is in it") from error
    except OSError as error:
        raise ValueError(f"ca_file {options.ca_file} cannot be read: {error.strerror}") from error
    if options.certificate is not None and options.key is not None:
        _check_rights(options.key)
        _check_dates(own_certificate(options.certificate), options.certificate, now)
        _load(made, options.certificate, options.key)
    return made


def end_of_ours(options: LinkOptions) -> datetime | None:
    """Return when our certificate ends (UTC); None without one, or when it cannot be read. It reads a file."""
    if options.certificate is None:
        return None
    try:
        return own_certificate(options.certificate).not_valid_after_utc
    except ValueError:
        return None


def own_certificate(path: Path) -> x509.Certificate:
    """Return the first certificate of a file. Raises ValueError."""
    try:
        return x509.load_pem_x509_certificate(path.read_bytes())
    except OSError as error:
        raise ValueError(f"certificate {path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise ValueError(f"certificate {path}: no certificate in PEM is in it") from error


def in_words(error: BaseException) -> str:
    """Return why a connection failed, for people who know the plant and not TLS."""
    if isinstance(error, ssl.SSLCertVerificationError):
        found = _VERIFY.get(error.verify_code)
        return f"{found} ({error.verify_message})" if found else f"its certificate: {error.verify_message}"
    plain = str(error).upper().replace(" ", "_")
    return next((words for name, words in _ALERTS.items() if name in plain), str(error))


def _check_rights(key: Path) -> None:
    try:
        mode = key.stat().st_mode
    except OSError as error:
        raise ValueError(f"key {key} cannot be read: {error.strerror}") from error
    if mode & stat.S_IROTH:
        raise ValueError(f"everybody can read the key {key}; chmod 640 it")


def _check_dates(found: x509.Certificate, path: Path, now: datetime) -> None:
    if now > found.not_valid_after_utc:
        raise ValueError(f"certificate {path} expired on {found.not_valid_after_utc:%Y-%m-%d}; renew it, {_CLOCK}")
    if now < found.not_valid_before_utc:
        raise ValueError(f"certificate {path} is valid from {found.not_valid_before_utc:%Y-%m-%d} only; {_CLOCK}")


def _load(made: ssl.SSLContext, certificate: Path, key: Path) -> None:
    try:
        made.load_cert_chain(certificate, key, password=_no_password)
    except ssl.SSLError as error:
        mismatch = "KEY_VALUES_MISMATCH" in str(error)
        what = f"is not the key of {certificate}" if mismatch else "is no key in PEM"
        raise ValueError(f"key {key} {what}") from error
    except OSError as error:
        raise ValueError(f"key {key} cannot be read: {error.strerror}") from error
    except _Encrypted:
        raise ValueError(f"key {key} is encrypted with a password, which nobody is there to type; decrypt it") from None


class _Encrypted(Exception):  # noqa: N818 - leaves this module as a ValueError only
    """OpenSSL asks for a password."""


def _no_password() -> str:
    raise _Encrypted
