"""What ``site.yaml`` may say under ``sparkplug``."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from agent.core.durations import Duration
from agent.core.secrets import Secret
from agent.uplink.options import CertificateOptions


def _id(value: str) -> str:
    if re.search(r"[#+/\x00]", value) or value != value.strip():
        raise ValueError(f"{value!r} becomes part of an MQTT topic; leave out +, #, / and blanks at its ends")
    return value


def _broker(value: str) -> str:
    form = "Sparkplug goes over TCP: write mqtt://HOST:PORT, or mqtts://HOST:PORT with TLS"
    match = re.fullmatch(r"mqtts?://[^/\s:@]+(?::(\d+))?/?", value)
    if match is None and "@" in value:  # what stands before it may be a password: do not repeat it
        raise ValueError(f"no user name or password here: they go under 'username' and 'password'. {form}")
    if match is None:
        raise ValueError(f"{value!r} is no broker of an edge node. {form}")
    if match[1] and not 0 < int(match[1]) < 65536:
        raise ValueError(f"{value!r}: a port is a number from 1 to 65535")
    return value.rstrip("/")


Id = Annotated[str, AfterValidator(_id)]


class SparkplugOptions(CertificateOptions):
    """An edge node beside the uplink. ``brokers`` are walked in order, one at a time."""

    brokers: tuple[Annotated[str, AfterValidator(_broker)], ...] = Field(min_length=1)
    group: Id = Field(default="", description="group id; the gateway's site if not given")
    node: Id = Field(default="", description="edge node id; the gateway's id if not given")
    primary_host: Id = Field(default="", description="host whose STATE must say online before anything is published")
    version: Literal[5, "3.1.1"] = Field(default=5, description="of MQTT")
    client_id: str = ""
    username: str = ""
    password: Secret | None = None
    keepalive: Duration = Field(default=10.0, ge=1, le=65535)
    period: Duration = Field(default=1.0, ge=0.1, le=60, description="changes of so long go in one message")
    history: int = Field(default=10_000, ge=0, le=1_000_000, description="changes kept while nobody can be told")
    history_rate: int = Field(default=200, ge=1, le=10_000, description="kept changes sent a second")
    writable: tuple[str, ...] = Field(default=(), description="points that a host may write; never an output's")
    commands: bool = Field(default=False, description="commands from above may come as NCMD, too")
    command_age: Duration = Field(default=30.0, gt=0, le=3600, description="a command that is older is refused")
