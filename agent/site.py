"""A site as it is configured, valid in itself: the pydantic models and values behind ``site.yaml``."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from agent.annunciation.buttons import ButtonOptions
from agent.annunciation.options import OutputOptions
from agent.annunciation.patterns import Annunciation
from agent.annunciation.self_test import ProofTestOptions, SelfTestOptions
from agent.core.calendars import Calendar, time_zone
from agent.core.options import DeviceOptions, Options, PointOptions
from agent.core.ports import Clock, Driver, DriverType
from agent.core.signatures import PublicKey
from agent.cores import usable_cores
from agent.evidence.options import EvidenceOptions
from agent.journal.options import JournalOptions
from agent.offers.options import OfferOptions
from agent.policy import Policy
from agent.sparkplug.options import SparkplugOptions
from agent.uplink.options import UplinkOptions

NAME = r"[a-z][a-z0-9_-]*"
NAME_RULE = "use a-z, 0-9, _ and -, a letter first"


def _name(value: str) -> str:
    if not re.fullmatch(NAME, value):
        raise ValueError(f"{value!r} is not a name; {NAME_RULE}")
    return value


def _place(value: str) -> str:
    if re.search(r"[#+/\x00]", value):
        raise ValueError(f"{value!r} becomes part of an MQTT topic; leave out +, # and /")
    return value


Name = Annotated[str, AfterValidator(_name)]
Place = Annotated[str, AfterValidator(_place)]


def _zone(name: str) -> str:
    time_zone(name)
    return name


class GatewayOptions(Options):
    """Who this gateway is, and where it keeps its state."""

    id: Name
    site: Place = Field(min_length=1)
    area: Place = ""
    language: Literal["en", "zh"] = "en"
    timezone: Annotated[str, AfterValidator(_zone)] = ""
    """IANA name, in which calendars are read; empty: the system's."""
    state: Path = Path(os.environ.get("STATE_DIRECTORY", "/var/lib/anshao"))
    socket: Path = Path(os.environ.get("RUNTIME_DIRECTORY", "/run/anshao")) / "anshao.sock"


class ModelsOptions(Options):
    """Whose model bundles are taken; without keys anybody's."""

    trusted_keys: dict[Name, PublicKey] = Field(default_factory=dict, description="public keys by whose they are")
    offers: OfferOptions | None = Field(default=None, description="bundles that the centre offers; without it none")

    @model_validator(mode="after")
    def _offers_are_signed(self) -> Self:
        if self.offers is not None and not self.trusted_keys:
            raise ValueError("'offers' needs 'trusted_keys': only bundles that one of them signed are taken from afar")
        return self


class VisionOptions(Options):
    """What all cameras together may take of the machine."""

    cpu: float | None = Field(default=None, gt=0, le=1024, description="cores; default: all that this process may use")

    @property
    def cores(self) -> float:
        """The budget in cores."""
        return self.cpu if self.cpu is not None else usable_cores()


@dataclass(frozen=True)
class DeviceConfig:
    """A device or camera with its points by local name."""

    id: str
    type: DriverType
    options: DeviceOptions
    points: Mapping[str, PointOptions]

    def build(self, clock: Clock) -> Driver:
        """Return its driver, not connected."""
        return self.type.build(self.id, self.options, self.points, clock)


@dataclass(frozen=True)
class Site:
    """A whole site, valid in itself. ``revision`` names the file's content."""

    path: Path
    revision: str
    gateway: GatewayOptions
    devices: Mapping[str, DeviceConfig]
    cameras: Mapping[str, DeviceConfig]
    outputs: Mapping[str, OutputOptions]
    uplink: UplinkOptions | None
    rules: tuple[Path, ...]
    calendars: Mapping[str, Calendar]
    annunciation: Annunciation
    buttons: Mapping[str, ButtonOptions]
    policy: Policy
    self_test: SelfTestOptions | None
    proof_test: ProofTestOptions | None
    journal: JournalOptions
    evidence: EvidenceOptions
    models: ModelsOptions
    sparkplug: SparkplugOptions | None
    vision: VisionOptions

    def build(self, clock: Clock) -> dict[str, Driver]:
        """Return a driver for each device and camera."""
        return {id_: config.build(clock) for id_, config in {**self.devices, **self.cameras}.items()}
