"""What ``site.yaml`` may say under ``uplink``."""

from __future__ import annotations

import re
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from agent.commands.options import CommandOptions
from agent.core.durations import Duration
from agent.core.options import Options
from agent.core.secrets import File, Secret

_BROKER = re.compile(r"(?:mqtts?|(wss?))://(?:[^/\s:@\[\]]+|\[[0-9A-Fa-f:.]+\])(?::(\d+))?(/\S*)?")
_PORTS = {"mqtt": 1883, "mqtts": 8883, "ws": 80, "wss": 443}
_ENCRYPTED = ("mqtts", "wss")


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


def _topic(value: str) -> str:
    if re.search(r"[#+\s]", value) or value.startswith("/") or value.endswith("/"):
        raise ValueError(f"{value!r} is not a topic to publish under; leave out +, #, blanks and outer slashes")
    try:
        value.format(site="", gateway="", area="")
    except (LookupError, ValueError, AttributeError):
        raise ValueError(f"{value!r} cannot be filled in; {{site}}, {{gateway}} and {{area}} are known") from None
    return value


class UplinkOptions(Options):
    """Where events go. Several brokers are tried in order of preference; they must share their sessions' fate."""

    brokers: tuple[Annotated[str, AfterValidator(broker)], ...] = Field(min_length=1)
    client_id: str = ""
    topic: Annotated[str, AfterValidator(_topic)] = "plant/{site}/{gateway}"
    username: str = ""
    password: Secret | None = None
    password_file: File | None = Field(default=None, description="the older way to write password: {file: …}")
    ca_file: File | None = Field(default=None, description="who signed the brokers' certificates; None: the system's")
    certificate: File | None = Field(default=None, description="our own, in PEM, for brokers that ask for one")
    key: File | None = Field(default=None, description="of our certificate; nobody else may read it")
    keepalive: Duration = Field(default=10.0, ge=1, le=65535)
    patience: Duration = Field(default=10.0, ge=1, le=60, description="how long a broker may take to take us in")
    prefer_again: Duration = Field(
        default=60.0, ge=1, description="on another broker than the first, a better one is tried that often"
    )
    window: int = Field(default=10, ge=1, le=100, description="most events on their way at once")
    replay_rate: int = Field(default=200, ge=1, description="backlog events a second; alarms are not held back")
    watermark: bool = Field(
        default=False, description="the centre says what it has stored, and what it has not is kept and sent on demand"
    )

    commands: CommandOptions | None = Field(default=None, description="commands from above; without it none is heard")

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if (self.certificate is None) is not (self.key is None):
            raise ValueError("'certificate' and 'key' belong together; give both or none")
        plain = [each for each in self.brokers if not is_encrypted(each)]
        if (self.certificate or self.ca_file) and len(plain) == len(self.brokers):
            raise ValueError(f"{plain[0]} is not encrypted, so certificates are of no use; write mqtts:// or wss://")
        return self


def is_encrypted(broker: str) -> bool:
    """Tell whether a broker is spoken to with TLS."""
    return urlsplit(broker).scheme in _ENCRYPTED


def host_and_port(broker: str) -> tuple[str, int]:
    """Return where a broker listens; the port defaults to 1883, with TLS to 8883, over WebSocket to 80 and 443."""
    parts = urlsplit(broker)
    return parts.hostname or "", parts.port or _PORTS[parts.scheme]


def web_path(broker: str) -> str | None:
    """Return the path of a broker that is spoken to over WebSocket; None for one over TCP."""
    parts = urlsplit(broker)
    return (parts.path or "/mqtt") if parts.scheme in ("ws", "wss") else None
