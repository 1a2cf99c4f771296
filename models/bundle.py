"""A model bundle: a folder whose manifest says what each file is, and by its hash that it is the one meant."""

from __future__ import annotations

import hashlib
import re
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path, PurePosixPath
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from agent.core.document import Document
from agent.core.errors import ConfigError, Fault
from agent.core.options import Options
from models.detection import Offer, Wearing
from models.vocabulary import Gear

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Share = Annotated[float, Field(gt=0, lt=1)]


def _within(path: str) -> str:
    if PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts:
        raise ValueError(f"{path!r} leads out of the bundle; name a file in it")
    return path


FileName = Annotated[str, AfterValidator(_within)]


class DetectorSpec(Options):
    """A network that finds persons. Pictures go in as BGR 0..255, letterboxed to the upper left corner."""

    file: FileName
    layout: Literal["boxes_corners", "boxes_centre"]
    width: int = Field(gt=0)
    height: int = Field(gt=0)
    pad: int = Field(default=114, ge=0, le=255)
    classes: tuple[str, ...] = Field(min_length=1)
    person: str
    means: dict[str, str] = Field(default_factory=dict, description="what labels stand for that anshao does not know")
    nms_iou: Share = 0.5
    sure: Share = Field(description="score from which a person is taken up")
    doubtful: Share = Field(description="score from which a person already known is followed")


class Limits(Options):
    """What a probability of wearing means: missing below, worn from, unknown between."""

    missing_below: Share
    worn_from: Share


class ClassifierSpec(Options):
    """A network that says of one person's crop whether equipment is worn; one probability per class."""

    file: FileName
    layout: Literal["crop_probabilities"]
    width: int = Field(gt=0)
    height: int = Field(gt=0)
    pad: int = Field(default=114, ge=0, le=255)
    margin: float = Field(ge=0, le=1, description="by which the box is widened, as a share of its size")
    classes: tuple[Gear, ...]
    limits: dict[Gear, Limits]
    least_height: int = Field(ge=0, description="persons lower than that many pixels are unknown")


class GoldenPerson(Options):
    """A person who must be found; ``box`` is left, top, right, bottom in pixels."""

    box: tuple[float, float, float, float]
    helmet: Wearing = Wearing.UNKNOWN
    vest: Wearing = Wearing.UNKNOWN
    mask: Wearing = Wearing.UNKNOWN
    goggles: Wearing = Wearing.UNKNOWN
    gloves: Wearing = Wearing.UNKNOWN
    harness: Wearing = Wearing.UNKNOWN

    @property
    def gear(self) -> dict[Gear, Wearing]:
        """What it must be seen to wear or to miss; what is not named is unknown."""
        return {gear: getattr(self, gear) for gear in Gear if getattr(self, gear) is not Wearing.UNKNOWN}


class GoldenCase(Options):
    """A picture and every person that must be found in it."""

    picture: FileName
    persons: tuple[GoldenPerson, ...]


class Manifest(Options):
    """``manifest.yaml``. ``files`` lists every other file of the bundle that is used, with its hash."""

    name: str
    version: str = Field(pattern=r"^\d+\.\d+\.\d+$")
    agent: str = Field(pattern=r"^\d+\.\d+\.\d+$", description="the oldest anshao that can run it")
    licence: str
    attribution: str
    files: dict[FileName, Sha256]
    detector: DetectorSpec
    classifier: ClassifierSpec | None = None
    golden: tuple[GoldenCase, ...] = Field(min_length=1)

    @property
    def offers(self) -> Offer:
        """What the bundle's networks can judge."""
        return Offer(gear=frozenset(self.classifier.classes if self.classifier else ()))


class Bundle:
    """A bundle whose files were all found to be the ones that its manifest names."""

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        self.folder = folder
        self.manifest = manifest

    @property
    def title(self) -> str:
        """Name and version, for people."""
        return f"{self.manifest.name} {self.manifest.version}"

    def path(self, name: str) -> Path:
        """Return where a file of the bundle stands."""
        return self.folder / name


def offered_by(folder: Path) -> Offer | None:
    """Return what the bundle says that it can judge; None when its manifest is not sound (its worker tells why)."""
    try:
        manifest, _ = Document.load(folder / "manifest.yaml").read(Manifest)
    except ConfigError:
        return None
    return manifest.offers if manifest else None


def load_bundle(folder: Path) -> Bundle:
    """Read and verify a bundle. Raises ConfigError with every fault."""
    document = Document.load(folder / "manifest.yaml")
    manifest, faults = document.read(Manifest)
    if manifest is None:
        raise ConfigError(faults)
    faults = [*_age_faults(document, manifest), *_missing_entries(document, manifest)]
    for name, expected in manifest.files.items():
        message = _file_fault(folder / name, expected)
        if message:
            faults.append(document.fault(("files", name), f"{name}: {message}"))
    if faults:
        raise ConfigError(faults)
    return Bundle(folder, manifest)


def _file_fault(path: Path, expected: str) -> str:
    try:
        found = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        return f"cannot be read ({error.strerror}); copy the bundle anew"
    if found == expected:
        return ""
    return f"is not the file that the manifest names (sha256 {found[:12]}…, not {expected[:12]}…); copy the bundle anew"


def _missing_entries(document: Document, manifest: Manifest) -> list[Fault]:
    """Nothing may be used that has no hash."""
    used: dict[tuple[str | int, ...], str] = {
        ("detector", "file"): manifest.detector.file,
        **({("classifier", "file"): manifest.classifier.file} if manifest.classifier else {}),
        **{("golden", index, "picture"): case.picture for index, case in enumerate(manifest.golden)},
    }
    return [
        document.fault(where, f"{name!r} has no hash; list it under 'files'")
        for where, name in used.items()
        if name not in manifest.files
    ]


def _age_faults(document: Document, manifest: Manifest) -> list[Fault]:
    try:
        ours = version("anshao")
    except PackageNotFoundError:
        return []
    if _numbers(ours) >= _numbers(manifest.agent):
        return []
    return [document.fault(("agent",), f"the bundle needs anshao {manifest.agent} or newer; this is {ours}")]


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", text)[:3])
