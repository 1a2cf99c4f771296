"""What ``site.yaml`` may say of a local broker, and of what its topics tell."""

from __future__ import annotations

import re
from collections.abc import Hashable, Set
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from agent.core.durations import Duration
from agent.core.options import DeviceOptions, Options, PointOptions
from agent.core.secrets import File, Secret
from drivers.mqtt.paths import parse_path
from drivers.scaling import conversion_fault

EXPIRY_S = 60.0
_BROKER = re.compile(r"(mqtts?|wss?)://([^/\s:@]+|\[[0-9A-Fa-f:.]+\])(:\d+)?(/\S*)?")


def _broker(value: str) -> str:
    match = _BROKER.fullmatch(value)
    if match is None:
        hidden = "what stands there" if "@" in value else repr(value)  # it may hold a password
        raise ValueError(f"{hidden} is not a broker; write mqtt://HOST:PORT (or mqtts, ws, wss), and 'username' apart")
    port = match[3]
    if port and not 1 <= int(port[1:]) <= 65535:
        raise ValueError(f"{port[1:]} is not a port; it is 1 to 65535")
    return value


def _length(value: str) -> str:
    if len(value.encode()) > 65535:
        raise ValueError("a topic is not longer than 65535 octets")
    return value


def _topic(value: str) -> str:
    parts = value.split("/")
    if parts[0] == "$share":
        raise ValueError(f"{value!r} is a shared subscription, of which others get a part; write the topic alone")
    if not value or "\0" in value or any("#" in part and part != "#" for part in parts) or "#" in parts[:-1]:
        raise ValueError(f"{value!r} is not a topic; '#' may only be its last part")
    if any("+" in part and part != "+" for part in parts):
        raise ValueError(f"{value!r} is not a topic; '+' stands for one whole part")
    return value


def _path(value: str) -> str:
    parse_path(value)
    return value


def _never(value: object) -> object:
    return None if value == "never" else value


Path = Annotated[str, AfterValidator(_path)]
Span = Annotated[Duration | None, BeforeValidator(_never)]


class Inside(Options):
    """Is a place inside a polygon? Corners are [x, y] in the units of the message (longitude, latitude)."""

    x: Path
    y: Path
    polygon: Annotated[tuple[tuple[float, float], ...], Field(min_length=3)]


class MqttPoint(PointOptions):
    """What one topic tells. Without ``path`` the whole payload is the value, as text or number."""

    topic: Annotated[str, AfterValidator(_length), AfterValidator(_topic)]
    path: Path = ""
    type: Literal["auto", "bool", "number", "string"] = "auto"
    true_when: tuple[bool | int | float | str, ...] | None = Field(default=None, description="all else is false")
    inside: Inside | None = None
    missing: Literal["bad", "ignore"] = Field(default="bad", description="a message without the path")
    time: Path = Field(default="", description="where the message says when it was made")
    time_format: Literal["iso", "s", "ms"] = "iso"
    max_age: Duration = Field(default=60.0, gt=0, description="older messages tell nothing of the present")
    expiry: Span = Field(default=EXPIRY_S, description="unknown after that long without a message; 'never'")
    hold: Duration | None = Field(default=None, gt=0, description="an event: true for that long, then false again")
    publish: Annotated[str, AfterValidator(_length)] = Field(default="", description="topic to write to")
    payload: str = Field(default="{value}", description="what is written; {value} is the value in JSON")

    @property
    def is_event(self) -> bool:
        """Whether silence is normal: nothing happened."""
        return self.hold is not None

    @property
    def silence_s(self) -> float | None:
        """How long nothing may be heard until the point is unknown: of an event for ever, unless somebody says."""
        return None if self.is_event and "expiry" not in self.model_fields_set else self.expiry

    def places(self) -> Set[Hashable]:
        """Return the topic that it is written to, if it is."""
        return {self.publish} if self.publish else frozenset()

    @model_validator(mode="after")
    def _fits_together(self) -> MqttPoint:
        if fault := self._fault() or conversion_fault(self):
            raise ValueError(fault)
        return self

    def _fault(self) -> str:
        if self.stale_after is not None:
            return "of a topic this is called 'expiry'; write that instead of 'stale_after'"
        if self.writable is not bool(self.publish):
            return "a point that is written has both 'writable: true' and 'publish: TOPIC'"
        if sum(map(bool, (self.inside, self.true_when is not None, self.values))) > 1:
            return "'inside', 'true_when' and 'values' are three ways to make a value; take one"
        if self.publish and set(self.publish) & set("#+\0"):
            return f"'publish' {self.publish!r} is not a topic to write to; it is without '#' and '+'"
        if self.is_event and (self.type in ("number", "string") or self.values):
            return "'hold' makes an event, which is true or false; leave 'values' out, and 'type' or write bool"
        if self.inside is not None and self.path:
            return "'inside' has paths of its own; leave 'path' out"
        if self.publish and "{value}" not in self.payload:
            return "'payload' does not say where the value goes; write {value} there"
        return ""


class MqttDevice(DeviceOptions):
    """A broker in the plant. It is not the one upstream: that is ``uplink``."""

    broker: Annotated[str, AfterValidator(_broker)]
    client_id: str = Field(default="", description="empty: one that nobody else has; outputs add -outputs")
    version: Literal[5, "3.1.1"] = Field(default=5, description="of MQTT")
    session: Duration = Field(default=0.0, ge=0, description="so long the broker keeps messages for us while away")
    username: str = ""
    password: Secret | None = None
    ca: File | None = Field(default=None, description="who signed the broker's certificate; None: the system's")
    certificate: File | None = None
    key: File | None = None
    keepalive: Duration = Field(default=10.0, ge=1, le=65535)
    timeout: Duration = Field(default=5.0, gt=0)

    @model_validator(mode="after")
    def _is_whole(self) -> MqttDevice:
        if self.password is not None and not self.username:
            raise ValueError("'password' is of no use without 'username'; add it")
        if self.session and not self.client_id:
            raise ValueError("'session' needs a 'client_id' by which the broker knows us again; add it")
        if (self.certificate is None) is not (self.key is None):
            raise ValueError("'certificate' and 'key' belong together; give both or none")
        scheme = self.broker.partition(":")[0]
        if scheme in ("mqtt", "ws") and (self.ca or self.certificate):
            raise ValueError(f"{scheme}:// is not encrypted, so certificates are of no use; write {scheme}s://")
        return self
