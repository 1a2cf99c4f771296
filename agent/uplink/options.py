"""What ``site.yaml`` may say under ``uplink``."""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from agent.commands.options import CommandOptions
from agent.core.durations import Duration
from agent.core.options import Options
from agent.core.secrets import File, Secret
from agent.links.address import Broker
from agent.links.options import LinkOptions
from agent.uplink.mapping import MappingOptions, load, preset


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


class UplinkOptions(LinkOptions):
    """Where events go: to one of several brokers in order of preference, or to a webhook, or into files."""

    brokers: tuple[Broker, ...] = Field(default=(), min_length=1, description="in order of preference")
    webhook: WebhookOptions | None = Field(default=None, description="for a site without MQTT: HTTP")
    file: FileOptions | None = Field(default=None, description="for a site without a network: JSON Lines")
    topic: Annotated[str, AfterValidator(_topic)] = "plant/{site}/{gateway}"
    password_file: File | None = Field(default=None, description="the older way to write password: {file: …}")
    window: int = Field(default=10, ge=1, le=100, description="most events on their way at once")
    replay_rate: int = Field(default=200, ge=1, description="backlog events a second; alarms are not held back")
    preset: Literal["homeassistant", "thingsboard"] | None = Field(
        default=None, description="events in the words of another platform"
    )
    mapping: File | None = Field(default=None, description="the same, in a file of the site's own")
    watermark: bool = Field(
        default=False, description="the centre says what it has stored, and what it has not is kept and sent on demand"
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
        self.require_use_of_certificates(self.ends)
        return self

    def secret(self) -> str | None:
        """Return the token of the webhook, or the password at the brokers. Raises ValueError, OSError."""
        if self.webhook is not None:
            return self.webhook.token.read() if self.webhook.token is not None else None
        if self.password is None and self.password_file is not None:
            return self.password_file.read_text(encoding="utf-8").strip()
        return super().secret()

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
