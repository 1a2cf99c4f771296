"""What ``site.yaml`` may say under ``uplink``."""

from __future__ import annotations

import re
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from agent.core.durations import Duration
from agent.core.options import Options
from agent.core.secrets import File, Secret


def _broker(value: str) -> str:
    if not re.fullmatch(r"mqtts?://[^/\s:@]+(:\d+)?/?", value):
        form = "write mqtt://HOST:PORT, or mqtts://HOST:PORT with TLS"
        if "@" in value:  # what stands before it may be a password: do not repeat it
            raise ValueError(f"no user name or password here: they go under 'username' and 'password'; {form}")
        raise ValueError(f"{value!r} is not a broker; {form}")
    port = re.search(r":(\d+)/?$", value)
    if port and not 0 < int(port[1]) < 65536:
        raise ValueError(f"{value!r}: a port is a number from 1 to 65535")
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

    brokers: tuple[Annotated[str, AfterValidator(_broker)], ...] = Field(min_length=1)
    client_id: str = ""
    topic: Annotated[str, AfterValidator(_topic)] = "plant/{site}/{gateway}"
    username: str = ""
    password: Secret | None = None
    password_file: File | None = Field(default=None, description="the older way to write password: {file: …}")
    ca_file: File | None = None
    keepalive: Duration = Field(default=10.0, ge=1, le=65535)
    window: int = Field(default=10, ge=1, le=100, description="most events on their way at once")
    replay_rate: int = Field(default=200, ge=1, description="backlog events a second; alarms are not held back")


def host_and_port(broker: str) -> tuple[str, int]:
    """Return where a broker listens; the port defaults to 1883, with TLS to 8883."""
    parts = urlsplit(broker)
    return parts.hostname or "", parts.port or (8883 if parts.scheme == "mqtts" else 1883)
