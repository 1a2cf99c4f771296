"""Asks a camera's server for its stream before the video library does: it alone gives reasons.

It also spares the account: a camera that refuses a password is asked with it once, and not again for a minute.
"""

from __future__ import annotations

import base64
import hashlib
import re
import socket
import ssl
import time
from dataclasses import dataclass
from urllib.parse import SplitResult, unquote, urlsplit

PORTS = {"rtsp": 554, "rtsps": 322, "http": 80, "https": 443}
_LONGEST_HEAD = 64 * 1024
_FIELD = re.compile(r'(\w+)=(?:"([^"]*)"|([^\s,]+))')


class SourceLost(Exception):  # noqa: N818 - a state, like NotConnected
    """The source gives no pictures; the text says why, in words."""


class LoginRefused(SourceLost):
    """The source wants another user or password; who tries too often is locked out."""


@dataclass(frozen=True, slots=True)
class Answer:
    """``challenge`` is what a server says that wants to know who asks; status 0 is no answer that makes sense."""

    status: int
    challenge: tuple[str, ...] = ()


def knock(url: str, limit_s: float) -> None:
    """Ask once, within ``limit_s`` for each answer. Raises SourceLost and LoginRefused with the reason."""
    parts = urlsplit(url)
    answer = _ask(parts, "", limit_s)
    if answer.status == 401 and parts.username is not None:
        header = _authorization(answer.challenge, parts)
        answer = _ask(parts, header, limit_s) if header else Answer(0)
    where = _where(parts)
    if answer.status in (401, 403):
        what = "refuses this user and password" if parts.username is not None else "asks for a user and a password"
        raise LoginRefused(f"{where} {what}; tried again once a minute, so that the account is not locked")
    if answer.status >= 400:
        raise SourceLost(f"{where} answers {answer.status}{_MEANINGS.get(answer.status, '')}")


_MEANINGS = {404: ": there is no such stream; check the path", 454: ": it has too many viewers; close one"}


def _port(parts: SplitResult) -> int:
    return parts.port or PORTS[parts.scheme.lower()]


def _where(parts: SplitResult) -> str:
    return f"{parts.hostname}:{_port(parts)}"


def _is_rtsp(parts: SplitResult) -> bool:
    return parts.scheme.lower().startswith("rtsp")


def _ask(parts: SplitResult, authorization: str, limit_s: float) -> Answer:
    until_s = time.monotonic() + limit_s
    try:
        with _open(parts, limit_s) as connection:
            connection.sendall(_request(parts, authorization))
            return _parse(_head(connection, until_s))
    except OSError as error:
        reason = "no answer" if isinstance(error, TimeoutError) else error.strerror or str(error)
        raise SourceLost(f"{_where(parts)}: {reason}") from error


def _open(parts: SplitResult, limit_s: float) -> socket.socket:
    plain = socket.create_connection((str(parts.hostname), _port(parts)), limit_s)
    if parts.scheme.lower() not in ("rtsps", "https"):
        return plain
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # cameras sign their own certificates
    return context.wrap_socket(plain, server_hostname=parts.hostname)


def _request(parts: SplitResult, authorization: str) -> bytes:
    asked = f"{_method(parts)} {_uri(parts)}"
    if _is_rtsp(parts):
        lines = [f"{asked} RTSP/1.0", "CSeq: 1", "Accept: application/sdp"]
    else:
        lines = [f"{asked} HTTP/1.1", f"Host: {_where(parts)}", "Connection: close"]
    lines += ["User-Agent: anshao", *([f"Authorization: {authorization}"] if authorization else [])]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def _method(parts: SplitResult) -> str:
    return "DESCRIBE" if _is_rtsp(parts) else "GET"


def _uri(parts: SplitResult) -> str:
    """Return what is asked for: RTSP wants the whole URL, without who asks."""
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if not _is_rtsp(parts):
        return path
    host = f"[{parts.hostname}]" if ":" in str(parts.hostname) else parts.hostname
    return f"{parts.scheme.lower()}://{host}:{_port(parts)}{path if parts.path else ''}"


def _head(connection: socket.socket, until_s: float) -> bytes:
    """Read as far as the first empty line. Raises TimeoutError, also for a server that sends drops."""
    head = b""
    while b"\r\n\r\n" not in head and len(head) < _LONGEST_HEAD:
        left_s = until_s - time.monotonic()
        if left_s <= 0:
            raise TimeoutError
        connection.settimeout(left_s)
        part = connection.recv(4096)
        if not part:
            break
        head += part
    return head


def _parse(head: bytes) -> Answer:
    first, *lines = head.split(b"\r\n\r\n")[0].decode(errors="replace").split("\r\n")
    status = re.match(r"\S+ (\d{3})", first)
    challenges = [line.partition(":")[2].strip() for line in lines if line.lower().startswith("www-authenticate:")]
    return Answer(int(status[1]) if status else 0, tuple(challenges))


def _authorization(challenges: tuple[str, ...], parts: SplitResult) -> str:
    """Answer the strongest challenge that we know; empty when there is none: then the library may try."""
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    digest = next((text for text in challenges if text.lower().startswith("digest")), None)
    if digest is not None:
        fields = {name.lower(): quoted or bare for name, quoted, bare in _FIELD.findall(digest)}
        known = fields.get("algorithm", "MD5").upper() == "MD5"
        return _digest(fields, user, password, _method(parts), _uri(parts)) if known else ""
    if any(text.lower().startswith("basic") for text in challenges):
        return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
    return ""


def _digest(fields: dict[str, str], user: str, password: str, method: str, uri: str) -> str:
    realm, nonce = fields.get("realm", ""), fields.get("nonce", "")
    secret, what = _md5(f"{user}:{realm}:{password}"), _md5(f"{method}:{uri}")
    text = f'Digest username="{user}", realm="{realm}", nonce="{nonce}", uri="{uri}"'
    if "auth" in fields.get("qop", "").split(","):
        count, own = "00000001", _md5(f"{time.monotonic_ns()}")[:16]
        response = _md5(f"{secret}:{nonce}:{count}:{own}:auth:{what}")
        text += f', response="{response}", qop=auth, nc={count}, cnonce="{own}"'
    else:
        text += f', response="{_md5(f"{secret}:{nonce}:{what}")}"'
    return text + (f', opaque="{fields["opaque"]}"' if "opaque" in fields else "")


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()  # what RFC 2617 asks for
