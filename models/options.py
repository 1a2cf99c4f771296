"""What ``site.yaml`` may say of a camera."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, field_validator, model_validator

from agent.core.document import suggestion
from agent.core.durations import Duration
from agent.core.options import DeviceOptions, Options
from models.bundle import offered_by
from models.redaction import redact
from models.trust.faults import Effect, PictureFault, effects_of
from models.vocabulary import Gear, Thing

BUNDLED = Path(__file__).parent
"""Where the models that come with anshao stand, by name."""
SCHEMES = ("rtsp", "rtsps", "http", "https")
_USB = re.compile(r"usb:(\d{1,2})")
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]*")
COUNTERS = ("received", "replaced", "inferred", "skipped")
"""Pictures since the worker started: read, overtaken by a newer one, judged, too old to be judged."""
HEALTH = ("camera_ok", "fps", *COUNTERS, *PictureFault, "online")
"""What a camera tells of itself; its other points are facts of what is before it."""
_TAKEN = frozenset((*HEALTH, "persons", "unknown_ppe", "vehicles", *Thing, *(f"no_{gear}" for gear in Gear)))


Point = tuple[float, float]
"""x and y as shares of the picture's width and height, from its upper left corner."""


def _polygon(points: tuple[Point, ...]) -> tuple[Point, ...]:
    if len(points) < 3:
        raise ValueError(f"a polygon needs at least 3 points [x, y], not {len(points)}")
    outside = next((point for point in points if not all(0 <= part <= 1 for part in point)), None)
    if outside is not None:
        raise ValueError(
            f"point {list(outside)} lies outside the picture; x and y are shares of its width and height, from 0 to 1"
        )
    if _area(points) < 1e-4:
        raise ValueError("the polygon has no area; its points lie on one line")
    return points


def _area(points: tuple[Point, ...]) -> float:
    pairs = zip(points, (*points[1:], points[0]), strict=True)
    return abs(sum(a[0] * b[1] - b[0] * a[1] for a, b in pairs)) / 2


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
        raise ValueError(f"{value!r} is no gate; write auto (pictures without change are not judged anew) or off")
    return value


def _state(path: Path | None, info: ValidationInfo) -> Path | None:
    found = (info.context or {}).get("state")
    return Path(found) / "cameras" if path is None and found is not None else path


class ZoneOptions(Options):
    """A part of the picture and the equipment that people in it must wear."""

    polygon: Annotated[tuple[Point, ...], AfterValidator(_polygon)]
    demand: tuple[Gear, ...] = (Gear.HELMET, Gear.VEST)


class CameraOptions(DeviceOptions):
    """One camera. Without zones the whole picture is watched and demands helmet and vest."""

    source: str = Field(min_length=1, repr=False, description="rtsp://, http(s)://, usb:0, a file or a folder")
    transport: Literal["tcp", "udp"] = Field(default="tcp", description="of RTSP")
    mode: Literal["fixed", "moving"] = Field(default="fixed", description="moving: a drone, a vehicle; no zones")
    model: str = "ppe"
    fps: float = Field(default=5.0, ge=0.5, le=30, description="pictures judged in one second")
    loop: bool = Field(default=True, description="play a file or folder again and again")
    zones: dict[str, ZoneOptions] = Field(default_factory=dict)
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
        default="auto", description="auto: with nobody there, pictures without change are not judged anew"
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
        return str(path)

    @field_validator("zones")
    @classmethod
    def _zones(cls, zones: dict[str, ZoneOptions]) -> dict[str, ZoneOptions]:
        for name in zones:
            if not _NAME.fullmatch(name):
                raise ValueError(f"zone {name!r}: a name has letters, digits, _ and - only")
            if name in _TAKEN:
                raise ValueError(f"zone {name!r}: the name is taken by a fact of the whole picture; choose another")
        return zones

    @model_validator(mode="after")
    def _goes_with_the_source(self) -> Self:
        if "loop" in self.model_fields_set and not self.is_file and not self.loop:
            raise ValueError("'loop' is for files and folders; leave it out")
        if "transport" in self.model_fields_set and not self.source.lower().startswith("rtsp"):
            raise ValueError("'transport' is for rtsp:// sources; leave it out")
        return self

    @model_validator(mode="after")
    def _moving_has_no_place(self) -> Self:
        if self.mode == "moving" and self.zones:
            raise ValueError("a moving camera has no fixed zones; leave 'zones' out, or 'mode: moving'")
        if self.mode == "moving" and self.trust.get(PictureFault.MOVED, Effect.IGNORE) is not Effect.IGNORE:
            raise ValueError("a moving camera is always moved; leave 'moved' out of 'trust', or 'mode: moving'")
        return self

    @model_validator(mode="after")
    def _demand_is_judged(self) -> Self:
        """Refuse what the model cannot judge: a count that is always zero would pass for safety."""
        offered = offered_by(self.bundle)
        lacking = sorted(self.demanded - offered.gear) if offered else []
        if offered and lacking:
            raise ValueError(
                f"model {self.model!r} cannot judge {', '.join(lacking)}; it offers {', '.join(sorted(offered.gear))}. "
                "Leave it out of the zones' 'demand', or take a model that can"
            )
        return self

    @property
    def bundle(self) -> Path:
        """The folder of the model."""
        return BUNDLED / self.model if _NAME.fullmatch(self.model) else Path(self.model)

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
