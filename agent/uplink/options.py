"""What ``site.yaml`` may say under ``uplink``."""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from agent.commands.options import CommandOptions
from agent.core.durations import Duration
from agent.core.options import Options
from agent.core.secrets import File, Secret
from agent.uplink.mapping import MappingOptions, load, preset

_BROKER = re.compile(r"(?:mqtts?|(wss?))://(?:[^/\s:@\[\]]+|\[[0-9A-Fa-f:.]+\])(?::(\d+))?(/\S*)?")
_PORTS = {"mqtt": 1883, "mqtts": 8883, "ws": 80, "wss": 443}
_ENCRYPTED = ("mqtts", "wss", "https")
_SECURE = "write mqtts://, wss:// or https://"


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


def _url(value: str) -> str:
    if not re.fullmatch(r"https?://[^/\s@]+(/\S*)?", value):
        form = "write https://HOST/PATH, and what proves who we are under 'token'"
        raise ValueError(f"{'what stands there' if '@' in value else repr(value)} is no place for a webhook; {form}")
    return value


class WebhookOptions(Options):
    """Each event is a POST, one after the other."""

    url: Annotated[str, AfterValidator(_url)]
    token: Secret | None = Field(default=None, description="sent as Authorization: Bearer …")
    timeout: Duration = Field(default=10.0, gt=0, le=60, description="of one event")


class FileOptions(Options):
    """Somebody fetches the files, and deletes them; when there is no more room for them events wait in the journal."""

    folder: File
    file_mb: int = Field(default=10, ge=1, description="a file that has reached it is closed, and another begun")
    total_mb: int = Field(default=1000, ge=2, description="of all files")
    delete_after: Duration | None = Field(default=None, gt=0, description="closed files that are older; None: never")


class CertificateOptions(Options):
    """What a connection with TLS is given, of the uplink and of Sparkplug alike; ``agent.uplink.tls`` reads it."""

    ca_file: File | None = Field(default=None, description="who signed the brokers' certificates; None: the system's")
    certificate: File | None = Field(default=None, description="our own, in PEM, for brokers that ask for one")
    key: File | None = Field(default=None, description="of our certificate; nobody else may read it")

    @model_validator(mode="after")
    def _belong_together(self) -> Self:
        if (self.certificate is None) is not (self.key is None):
            raise ValueError("'certificate' and 'key' belong together; give both or none")
        return self


class UplinkOptions(CertificateOptions):
    """Where events go: to one of several brokers in order of preference, or to a webhook, or into files."""

    brokers: tuple[Annotated[str, AfterValidator(broker)], ...] = Field(
        default=(), min_length=1, description="in order of preference"
    )
    webhook: WebhookOptions | None = Field(default=None, description="for a site without MQTT: HTTP")
    file: FileOptions | None = Field(default=None, description="for a site without a network: JSON Lines")
    client_id: str = ""
    topic: Annotated[str, AfterValidator(_topic)] = "plant/{site}/{gateway}"
    username: str = ""
    password: Secret | None = None
    password_file: File | None = Field(default=None, description="the older way to write password: {file: …}")
    keepalive: Duration = Field(default=10.0, ge=1, le=65535)
    patience: Duration = Field(default=10.0, ge=1, le=60, description="how long a broker may take to take us in")
    prefer_again: Duration = Field(
        default=60.0, ge=1, description="on another broker than the first, a better one is tried that often"
    )
    window: int = Field(default=10, ge=1, le=100, description="most events on their way at once")
    replay_rate: int = Field(default=200, ge=1, description="backlog events a second; alarms are not held back")
    preset: Literal["homeassistant", "thingsboard"] | None = Field(
        default=None, description="events in the words of another platform"
    )
    mapping: File | None = Field(default=None, description="the same, in a file of the site's own")
    watermark: bool = Field(
        default=False, description="the centre says what it has stored, and what it has not is kept and sent on demand"
    )
    confirm_within: Duration = Field(
        default=600.0, ge=10, description="with 'watermark': events that wait longer for the centre are an alarm"
    )

    commands: CommandOptions | None = Field(default=None, description="commands from above; without it none is heard")

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if sum(map(bool, (self.brokers, self.webhook, self.file))) != 1:
            raise ValueError("give one of 'brokers', 'webhook' and 'file'; the journal is sent once")
        if self.preset and self.mapping:
            raise ValueError("give 'preset' or 'mapping'; begin a mapping with a copy of a preset")
        if not self.brokers and (self.preset or self.mapping):
            raise ValueError("'preset' and 'mapping' say what goes to a broker; leave them out, or give 'brokers'")
        if not self.brokers and (self.watermark or self.commands):
            raise ValueError("'watermark' and 'commands' come from a broker; leave them out, or give 'brokers'")
        if "confirm_within" in self.model_fields_set and not self.watermark:
            raise ValueError("'confirm_within' is for a centre that confirms; add 'watermark: true', or leave it out")
        if (self.certificate or self.ca_file) and not any(map(is_encrypted, self.ends)):
            raise ValueError(f"{self.ends[0]} is not encrypted, so certificates are of no use; {_SECURE}")
        return self

    def words(self) -> MappingOptions | None:
        """Return the mapping of events; None: they go as they are. Raises ConfigError: what is wrong with the file."""
        if self.preset is not None:
            return preset(self.preset)
        return load(self.mapping) if self.mapping is not None else None

    @property
    def ends(self) -> tuple[str, ...]:
        """Where events go, in order of preference, as the site's file has it."""
        if self.webhook is not None:
            return (self.webhook.url,)
        return self.brokers or ((str(self.file.folder),) if self.file is not None else ())


def is_encrypted(broker: str) -> bool:
    """Tell whether a broker or webhook is spoken to with TLS."""
    return urlsplit(broker).scheme in _ENCRYPTED


def host_and_port(broker: str) -> tuple[str, int]:
    """Return where a broker listens; the port defaults to 1883, with TLS to 8883, over WebSocket to 80 and 443."""
    parts = urlsplit(broker)
    return parts.hostname or "", parts.port or _PORTS[parts.scheme]


def web_path(broker: str) -> str | None:
    """Return the path of a broker that is spoken to over WebSocket; None for one over TCP."""
    parts = urlsplit(broker)
    return (parts.path or "/mqtt") if parts.scheme in ("ws", "wss") else None
