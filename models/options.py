"""What ``site.yaml`` may say of a camera."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

from agent.core.document import suggestion
from agent.core.durations import Duration
from agent.core.options import DeviceOptions
from models.bundle import offered_by
from models.framing import Part, around
from models.places import Crop, LineOptions, ZoneOptions
from models.providers import installed, pin_fault
from models.redaction import redact
from models.signers import Signers
from models.trust.faults import Effect, PictureFault, effects_of
from models.vocabulary import Gear, Thing

BUNDLED = Path(__file__).parent
"""Where the models that come with anshao stand, by name."""
SCHEMES = ("rtsp", "rtsps", "http", "https")
_USB = re.compile(r"usb:(\d{1,2})")
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]*")
COUNTERS = ("received", "replaced", "inferred", "gated", "skipped")
"""Pictures since the worker started: read, overtaken by a newer one, looked at, like the last look, too old."""
PACES = ("fps", "fps_asked", "fps_granted", "sparse")
HEALTH = ("camera_ok", *PACES, *COUNTERS, *PictureFault, "online", "proof_failed")
"""What a camera, or the agent of it, tells of the camera itself; its other points are facts of what is before it."""
_TAKEN = frozenset((*HEALTH, "persons", "unknown_ppe", "vehicles", *Thing, *(f"no_{gear}" for gear in Gear)))


def _privacy(value: object) -> object:
    if value is False:  # YAML's off
        return "off"
    if value not in ("heads", "off"):
        raise ValueError(f"{value!r} is no privacy; write heads (pixelated in whatever leaves the gateway) or off")
    return value


def _gate(value: object) -> object:
    if value is False:  # YAML's off
        return "off"
    if value not in ("auto", "off"):
        raise ValueError(f"{value!r} is no gate; write auto (pictures without change are not looked at anew) or off")
    return value


def _state(path: Path | None, info: ValidationInfo) -> Path | None:
    found = (info.context or {}).get("state")
    return Path(found) / "cameras" if path is None and found is not None else path


class CameraOptions(DeviceOptions):
    """One camera. Without zones the whole picture is watched and demands helmet and vest."""

    source: str = Field(min_length=1, repr=False, description="rtsp://, http(s)://, usb:0, a file or a folder")
    transport: Literal["tcp", "udp"] = Field(default="tcp", description="of RTSP")
    mode: Literal["fixed", "moving"] = Field(default="fixed", description="moving: a drone, a vehicle; no zones")
    model: str = "ppe"
    provider: Literal["auto", "tensorrt", "cuda", "openvino", "cpu"] = Field(
        default="auto", description="what the networks run on; auto: the best that gives the same answers"
    )
    fps: float = Field(default=5.0, ge=1, le=30, description="pictures judged in one second")
    weight: float | None = Field(
        default=None, ge=0.1, le=10, description="in the budget of vision; default: 2 where a P1 rule looks, else 1"
    )
    loop: bool = Field(default=True, description="play a file or folder again and again")
    zones: dict[str, ZoneOptions] = Field(default_factory=dict)
    lines: dict[str, LineOptions] = Field(default_factory=dict, description="that people cross")
    crop: Crop | None = Field(
        default=None,
        description="left, top, right, bottom as shares of the picture, or zones: the rest is not looked at",
    )
    things: tuple[Thing, ...] = Field(default=(), description="that are counted beside persons")
    timeout: Duration = Field(default=5.0, gt=0, description="silence of the worker, or of the stream, that is a fault")
    privacy: Annotated[Literal["heads", "off"], BeforeValidator(_privacy)] = Field(
        default="heads", description="heads are pixelated in whatever leaves the gateway; off: nothing is"
    )
    clip_before: Duration = Field(default=5.0, ge=0, le=30, description="of an alarm, in its clip")
    clip_after: Duration = Field(default=10.0, ge=0, le=60, description="of an alarm, in its clip")
    trust: dict[PictureFault, Effect] = Field(
        default_factory=dict, description="what a fault of the picture does, where it is not the default"
    )
    gate: Annotated[Literal["auto", "off"], BeforeValidator(_gate)] = Field(
        default="auto", description="auto: pictures without change are not looked at anew, for 1 s at most"
    )
    memory_mb: int = Field(default=1500, ge=300, description="a worker that takes more is replaced by a new one")
    state: Annotated[Path | None, AfterValidator(_state)] = Field(
        default=None, validate_default=True, exclude=True, repr=False, description="set by the site"
    )
    person_threshold: float | None = Field(default=None, gt=0, lt=1, description="default: the model's")
    helmet_threshold: float | None = Field(default=None, gt=0, lt=1, description="missing below; default: the model's")
    vest_threshold: float | None = Field(default=None, gt=0, lt=1, description="missing below; default: the model's")

    @property
    def is_file(self) -> bool:
        """Tell whether the source is a file or a folder."""
        return "://" not in self.source and _USB.fullmatch(self.source) is None

    @property
    def usb_index(self) -> int | None:
        """The number of a USB camera, None for any other source."""
        match = _USB.fullmatch(self.source)
        return int(match[1]) if match else None

    @field_validator("source")
    @classmethod
    def _source(cls, source: str, info: ValidationInfo) -> str:
        if "://" in source:
            return _url(source)
        if source.lower().startswith("usb"):
            return _usb(source)
        return str(_resolve(source, info))

    @field_validator("model")
    @classmethod
    def _model(cls, model: str, info: ValidationInfo) -> str:
        if _NAME.fullmatch(model):
            known = sorted(path.parent.name for path in BUNDLED.glob("*/manifest.yaml"))
            if model not in known:
                raise ValueError(f"there is no model {model!r}{suggestion(model, known)}")
            return model
        path = _resolve(model, info)
        if not (path / "manifest.yaml").is_file():
            raise ValueError(f"{model!r} is not a model bundle: it has no file manifest.yaml")
        if fault := Signers((info.context or {}).get("trusted_keys", {})).fault(path):
            raise ValueError(f"the manifest of {model!r} {fault}")
        return str(path)

    @field_validator("provider")
    @classmethod
    def _provider(cls, provider: str) -> str:
        fault = pin_fault(provider, installed())
        if fault:
            raise ValueError(fault)
        return provider

    @field_validator("zones")
    @classmethod
    def _zones(cls, zones: dict[str, ZoneOptions]) -> dict[str, ZoneOptions]:
        for name in zones:
            if not _NAME.fullmatch(name):
                raise ValueError(f"zone {name!r}: a name has letters, digits, _ and - only")
            if name in _TAKEN:
                raise ValueError(f"zone {name!r}: the name is taken by a fact of the whole picture; choose another")
        return zones

    @field_validator("lines")
    @classmethod
    def _lines(cls, lines: dict[str, LineOptions], info: ValidationInfo) -> dict[str, LineOptions]:
        for name in lines:
            if not _NAME.fullmatch(name):
                raise ValueError(f"line {name!r}: a name has letters, digits, _ and - only")
            if name in _TAKEN:
                raise ValueError(f"line {name!r}: the name is taken by a fact of the whole picture; choose another")
            if name in info.data.get("zones", {}):
                raise ValueError(f"line {name!r}: a zone has that name, and their facts would, too; choose another")
        return lines

    @model_validator(mode="after")
    def _goes_with_the_source(self) -> Self:
        if "loop" in self.model_fields_set and not self.is_file and not self.loop:
            raise ValueError("'loop' is for files and folders; leave it out")
        if "transport" in self.model_fields_set and not self.source.lower().startswith("rtsp"):
            raise ValueError("'transport' is for rtsp:// sources; leave it out")
        return self

    @model_validator(mode="after")
    def _moving_has_no_place(self) -> Self:
        if self.mode == "moving" and (self.zones or self.lines):
            places = [name for name, place in (("zones", self.zones), ("lines", self.lines)) if place]
            told, quoted = " and ".join(places), " and ".join(f"'{name}'" for name in places)
            raise ValueError(f"a moving camera has no fixed {told}; leave {quoted} out, or 'mode: moving'")
        if self.mode == "moving" and self.trust.get(PictureFault.MOVED, Effect.IGNORE) is not Effect.IGNORE:
            raise ValueError("a moving camera is always moved; leave 'moved' out of 'trust', or 'mode: moving'")
        return self

    @model_validator(mode="after")
    def _places_are_in_the_crop(self) -> Self:
        if self.crop == "zones" and not (self.zones or self.lines):
            raise ValueError("'crop: zones' needs zones or lines to look at; draw one, or leave 'crop' out")
        if self.crop is None or self.crop == "zones":
            return self
        left, top, right, bottom = self.crop
        places = [("zone", name, zone.polygon) for name, zone in self.zones.items()]
        places += [("line", name, line.points) for name, line in self.lines.items()]
        for kind, name, points in places:
            for x, y in points:
                if not (left <= x <= right and top <= y <= bottom):
                    raise ValueError(
                        f"{kind} {name!r} has the point [{x:g}, {y:g}], which 'crop' cuts off; widen 'crop'"
                    )
        return self

    @model_validator(mode="after")
    def _what_counts_is_judged(self) -> Self:
        """Refuse what the model cannot judge: a count that is always zero would pass for safety."""
        offered = offered_by(self.bundle)
        if offered is None:
            return self
        if lacking := sorted(self.demanded - offered.gear):
            raise ValueError(
                f"model {self.model!r} cannot judge {', '.join(lacking)}; it offers {', '.join(sorted(offered.gear))}. "
                "Leave it out of the zones' 'demand', or take a model that can"
            )
        if unseen := sorted(self.looked_for - offered.things):
            known = ", ".join(sorted(offered.things))
            raise ValueError(
                f"model {self.model!r} does not look for {', '.join(unseen)}; it offers {known}. "
                "Leave it out of 'things' (and 'vehicle_within' out of the zones), or take a model that does"
            )
        return self

    @field_validator("things")
    @classmethod
    def _things(cls, things: tuple[Thing, ...]) -> tuple[Thing, ...]:
        if Thing.PERSON in things:
            raise ValueError("persons are counted anyway; leave 'person' out")
        return things

    @model_validator(mode="after")
    def _who_moves_needs_pictures(self) -> Self:
        if self.fps < 2 and any(zone.running_above is not None for zone in self.zones.values()):
            raise ValueError(f"{self.fps:g} pictures a second do not show who runs; 'fps' must be 2 or more")
        if self.fps < 2 and self.lines:
            raise ValueError(f"{self.fps:g} pictures a second do not show who crosses a line; 'fps' must be 2 or more")
        return self

    @property
    def bundle(self) -> Path:
        """The folder of the model."""
        return BUNDLED / self.model if _NAME.fullmatch(self.model) else Path(self.model)

    @property
    def part(self) -> Part | None:
        """The part of the picture that is looked at; None for all of it."""
        if self.crop != "zones":
            return self.crop
        zones = [point for zone in self.zones.values() for point in zone.polygon]
        return around([*zones, *(point for line in self.lines.values() for point in line.points)])

    @property
    def effects(self) -> dict[PictureFault, Effect]:
        """What each fault of the picture does to the facts."""
        found = effects_of(self.mode == "moving", self.trust)
        if self.zones:
            return found
        return {fault: Effect.DEGRADE if effect is Effect.ZONES else effect for fault, effect in found.items()}

    @property
    def watched(self) -> dict[str, ZoneOptions]:
        """The zones; without any, one without a name that is the whole picture."""
        whole = ZoneOptions(polygon=((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)))
        return self.zones or {"": whole}

    @property
    def demanded(self) -> frozenset[Gear]:
        """Equipment that is demanded somewhere in the picture."""
        return frozenset(gear for zone in self.watched.values() for gear in zone.demand)

    @property
    def looked_for(self) -> frozenset[Thing]:
        """Things beside persons that some fact needs."""
        near = {Thing.VEHICLE for zone in self.zones.values() if zone.vehicle_within is not None}
        return frozenset({*self.things, *near})


def _url(source: str) -> str:
    scheme = source.split("://", 1)[0].lower()
    if scheme not in SCHEMES:
        raise ValueError(f"cannot read {scheme}:// sources{suggestion(scheme, list(SCHEMES))}")
    try:
        parts = urlsplit(source)
        missing = not parts.hostname or parts.port == 0
    except ValueError:
        missing = True
    if missing:
        raise ValueError(f"{redact(source)!r} names no usable host and port; write {scheme}://HOST[:PORT]/PATH")
    return source


def _usb(source: str) -> str:
    if not _USB.fullmatch(source):
        raise ValueError(f"{source!r} is not a USB camera; write usb: and its number, such as usb:0 for /dev/video0")
    return source


def _resolve(path: str, info: ValidationInfo) -> Path:
    base = Path((info.context or {}).get("base", "."))
    return (base / path).absolute()
