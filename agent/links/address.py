"""Where a broker is, as the site's file has it."""

from __future__ import annotations

import re
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator

_BROKER = re.compile(r"(?:mqtts?|(wss?))://(?:[^/\s:@\[\]]+|\[[0-9A-Fa-f:.]+\])(?::(\d+))?(/\S*)?")
_PORTS = {"mqtt": 1883, "mqtts": 8883, "ws": 80, "wss": 443}
_ENCRYPTED = ("mqtts", "wss", "https")


def broker(value: str) -> str:
    """Return where a broker is, as written. Raises ValueError: what is wrong with it."""
    match = _BROKER.fullmatch(value)
    if match is None:
        form = "write mqtt://HOST:PORT, or mqtts://HOST:PORT with TLS; over WebSocket ws:// or wss://HOST:PORT/PATH"
        if "@" in value:  # what stands before it may be a password: do not repeat it
            raise ValueError(f"no user name or password here: they go under 'username' and 'password'; {form}")
        raise ValueError(f"{value!r} is not a broker; {form}")
    web, port, path = match.groups()
    if port and not 0 < int(port) < 65536:
        raise ValueError(f"{value!r}: a port is a number from 1 to 65535")
    if path and path != "/" and not web:
        raise ValueError(f"{value!r}: only ws:// and wss:// have a path; leave {path!r} out")
    return value.rstrip("/")


Broker = Annotated[str, AfterValidator(broker)]


def is_encrypted(end: str) -> bool:
    """Tell whether a broker or webhook is spoken to with TLS."""
    return urlsplit(end).scheme in _ENCRYPTED


def host_and_port(broker: str) -> tuple[str, int]:
    """Return where a broker listens; the port defaults to 1883, with TLS to 8883, over WebSocket to 80 and 443."""
    parts = urlsplit(broker)
    return parts.hostname or "", parts.port or _PORTS[parts.scheme]


def web_path(broker: str) -> str | None:
    """Return the path of a broker that is spoken to over WebSocket; None for one over TCP."""
    parts = urlsplit(broker)
    return (parts.path or "/mqtt") if parts.scheme in ("ws", "wss") else None
