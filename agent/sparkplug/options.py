"""What ``site.yaml`` may say under ``sparkplug``."""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from agent.core.durations import Duration
from agent.links.address import Broker
from agent.links.options import LinkOptions


def _id(value: str) -> str:
    if re.search(r"[#+/\x00]", value) or value != value.strip():
        raise ValueError(f"{value!r} becomes part of an MQTT topic; leave out +, #, / and blanks at its ends")
    return value


Id = Annotated[str, AfterValidator(_id)]


class SparkplugOptions(LinkOptions):
    """An edge node beside the uplink, at one broker at a time."""

    brokers: tuple[Broker, ...] = Field(min_length=1, description="in order of preference")
    group: Id = Field(default="", description="group id; the gateway's site if not given")
    node: Id = Field(default="", description="edge node id; the gateway's id if not given")
    primary_host: Id = Field(default="", description="host whose STATE must say online before anything is published")
    version: Literal[5, "3.1.1"] = Field(default=5, description="of MQTT")
    period: Duration = Field(default=1.0, ge=0.1, le=60, description="changes of so long go in one message")
    history: int = Field(default=10_000, ge=0, le=1_000_000, description="changes kept while nobody can be told")
    history_rate: int = Field(default=200, ge=1, le=10_000, description="kept changes sent a second")
    writable: tuple[str, ...] = Field(default=(), description="points that a host may write; never an output's")
    command_age: Duration = Field(default=30.0, gt=0, le=3600, description="a command that is older is refused")

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        self.require_use_of_certificates(self.brokers)
        return self
