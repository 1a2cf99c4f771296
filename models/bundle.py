"""A model bundle: a folder whose manifest says what each file is, and by its hash that it is the one meant."""

from __future__ import annotations

import re
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path, PurePosixPath
from typing import Annotated, Literal, Self, TypeVar

from pydantic import AfterValidator, Field, ValidationInfo, field_validator, model_validator

from agent.core.document import Document, suggestion
from agent.core.errors import ConfigError, Fault
from agent.core.files import sha256_of
from agent.core.options import Options
from models.detection import Offer, Wearing
from models.feed import InputSpec
from models.labels import meanings, offered, wrong_means
from models.policy import examine
from models.vocabulary import Gear, Meaning, Thing

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Share = Annotated[float, Field(gt=0, lt=1)]
_N = TypeVar("_N", str, dict[str, float])


def _within(path: str) -> str:
    if PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts:
        raise ValueError(f"{path!r} leads out of the bundle; name a file in it")
    return path


FileName = Annotated[str, AfterValidator(_within)]
FULL = "fp32"
"""The precision of the detector's own file."""


LayoutName = Literal[
    "boxes_corners",
    "boxes_centre",
    "yolo_v8",
    "yolo_v5",
    "yolo_e2e",
    "yolo_nas",
    "yolox",
    "nanodet",
    "detr_norm",
    "detr_scores",
    "rfdetr",
    "dfine",
    "ssd",
    "ssd_nms",
    "classify",
]


class VariantSpec(Options):
    """The same detector in another precision, same input and outputs; used where rehearsing found it better."""

    file: FileName
    precision: Literal["int8"]


class DetectorSpec(InputSpec):
    """A network that finds persons and other things, each with a box; the classes' order is the network's."""

    file: FileName
    layout: LayoutName
    decided_by: str = Field(default="", description="what told the layout, when the bundle was imported")
    classes: tuple[str, ...] = Field(min_length=1)
    person: str = Field(default="", description="the label of persons; without it the one that means them")
    thresholds: dict[str, Share] = Field(
        default_factory=dict, description="least score of a label; without it sure, of persons doubtful"
    )
    means: dict[str, str] = Field(default_factory=dict, description="what labels stand for that anshao does not know")
    nms_iou: Share = 0.5
    sure: Share = Field(description="score from which a person is taken up")
    doubtful: Share = Field(description="score from which a person already known is followed")
    variants: tuple[VariantSpec, ...] = Field(default=(), description="the same network in other precisions")

    def in_precision(self, precision: str) -> DetectorSpec:
        """Return it with the file of a precision in place of its own. Raises KeyError when there is none."""
        if precision == FULL:
            return self
        files: dict[str, str] = {variant.precision: variant.file for variant in self.variants}
        return self.model_copy(update={"file": files[precision]})

    @property
    def meanings(self) -> list[Meaning | None]:
        """What each class means, None for those that mean nothing here."""
        return meanings(self.classes, {self.person: Thing.PERSON, **self.means})

    @field_validator("person", "thresholds")
    @classmethod
    def _labels(cls, named: _N, info: ValidationInfo) -> _N:
        classes = info.data.get("classes", ())
        labels = ([named] if named else []) if isinstance(named, str) else list(named)
        for label in labels:
            if classes and label not in classes:
                raise ValueError(f"there is no class {label!r}{suggestion(label, list(classes))}")
        return named

    @field_validator("variants")
    @classmethod
    def _variants(cls, variants: tuple[VariantSpec, ...]) -> tuple[VariantSpec, ...]:
        named = [each.precision for each in variants]
        if len(set(named)) < len(named):
            raise ValueError(f"there are two files in {max(named, key=named.count)}; leave one of them out")
        return variants

    @field_validator("means")
    @classmethod
    def _means(cls, means: dict[str, str], info: ValidationInfo) -> dict[str, str]:
        classes = info.data.get("classes", ())
        faults = wrong_means(classes, means) if classes else []
        if faults:
            raise ValueError("; ".join(message for _, message in faults))
        return means


class Limits(Options):
    """What a probability of wearing means: missing below, worn from, unknown between."""

    missing_below: Share
    worn_from: Share


class Belief(Options):
    """When a box that alone is no person is one all the same: what is so clearly a bare head belongs to somebody."""

    score: Share = Field(description="score of the detector from which it may be")
    missing_below: Share = Field(description="probability of wearing below which it is")

    def holds(self, score: float, worn: float) -> bool:
        """Tell whether a box of this score, with this probability of wearing, is a person."""
        return score >= self.score and worn < self.missing_below


class ClassifierSpec(InputSpec):
    """A network that says of one person's crop whether equipment is worn; one probability per class."""

    file: FileName
    layout: Literal["crop_probabilities", "crop_softmax"]
    labels: tuple[str, ...] = Field(default=(), description="of crop_softmax: the label of each of its outputs")
    margin: float = Field(ge=0, le=1, description="by which the box is widened, as a share of its size")
    classes: tuple[Gear, ...]
    limits: dict[Gear, Limits]
    least_height: int = Field(ge=0, description="persons lower than that many pixels are unknown")
    believes: dict[Gear, Belief] = Field(
        default_factory=dict, description="pieces whose clear lack tells that a doubtful box is a person"
    )

    @model_validator(mode="after")
    def _believes_what_it_judges(self) -> Self:
        for gear, belief in self.believes.items():
            if gear not in self.classes:
                raise ValueError(f"'believes' names '{gear}', which is not among 'classes'")
            limit = self.limits[gear].missing_below if gear in self.limits else 1.0
            if belief.missing_below > limit:
                raise ValueError(
                    f"'believes' calls '{gear}' missing below {belief.missing_below}, 'limits' only below {limit};"
                    " a person is believed by what is missing for certain: lower it"
                )
        return self

    @model_validator(mode="after")
    def _every_class_has_labels(self) -> Self:
        if self.layout == "crop_softmax":
            own = offered(meanings(self.labels, {})).gear
            bare = [gear for gear in self.classes if gear not in own]
            if bare:
                raise ValueError(f"'labels' must hold '{bare[0]}' and 'no_{bare[0]}', in any usual spelling")
        bare = [gear for gear in self.classes if gear not in self.limits]
        if bare:
            raise ValueError(f"'limits' says nothing of '{bare[0]}'; add it")
        return self


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


class GoldenThing(Options):
    """Another thing that must be found."""

    thing: Thing
    box: tuple[float, float, float, float]


class GoldenCase(Options):
    """A picture and everything that must be found in it."""

    picture: FileName
    persons: tuple[GoldenPerson, ...] = ()
    things: tuple[GoldenThing, ...] = ()


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

    @field_validator("classifier")
    @classmethod
    def _believes_the_doubtful(cls, spec: ClassifierSpec | None, info: ValidationInfo) -> ClassifierSpec | None:
        found: DetectorSpec | None = info.data.get("detector")
        for gear, belief in spec.believes.items() if spec and found else ():
            if found and not found.doubtful <= belief.score < found.sure:
                raise ValueError(
                    f"'believes' begins at a score of {belief.score} for '{gear}'; below 'doubtful' ({found.doubtful})"
                    f" nothing is looked at, and from 'sure' ({found.sure}) everybody is believed: name one between"
                )
        return spec

    @property
    def offers(self) -> Offer:
        """What the bundle's networks can judge."""
        own = offered(self.detector.meanings)
        return Offer(own.gear | frozenset(self.classifier.classes if self.classifier else ()), own.things)


class Bundle:
    """A bundle whose files were all found to be the ones that its manifest names."""

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        self.folder = folder
        self.manifest = manifest

    @property
    def title(self) -> str:
        """Name and version, for people."""
        return f"{self.manifest.name} {self.manifest.version}"

    def digest(self) -> str:
        """Return the sha256 of the manifest, which names that of every file: it says which model this is."""
        return sha256_of(self.folder / "manifest.yaml")

    def path(self, name: str) -> Path:
        """Return where a file of the bundle stands."""
        return self.folder / name


def offered_by(folder: Path) -> Offer | None:
    """Return what the bundle says that it can judge; None when its manifest is not sound (its worker tells why)."""
    manifest = _manifest(folder)
    return manifest.offers if manifest else None


def has_variants(folder: Path) -> bool:
    """Tell whether a bundle holds its detector in more than one precision; not when its manifest is not sound."""
    manifest = _manifest(folder)
    return manifest is not None and bool(manifest.detector.variants)


def _manifest(folder: Path) -> Manifest | None:
    try:
        return Document.load(folder / "manifest.yaml").read(Manifest)[0]
    except ConfigError:
        return None


def load_bundle(folder: Path) -> Bundle:
    """Read and verify a bundle. Raises ConfigError with every fault."""
    document = Document.load(folder / "manifest.yaml")
    manifest, faults = document.read(Manifest)
    if manifest is None:
        raise ConfigError(faults)
    faults = [*_age_faults(document, manifest), *_missing_entries(document, manifest)]
    for name, expected in manifest.files.items():
        message = _file_fault(folder / name, expected)
        messages = [f"{name}: {message}"] if message else _network_faults(folder / name)
        faults += [document.fault(("files", name), each) for each in messages]
    if faults:
        raise ConfigError(faults)
    return Bundle(folder, manifest)


def _file_fault(path: Path, expected: str) -> str:
    try:
        found = sha256_of(path)
    except OSError as error:
        return f"cannot be read ({error.strerror}); copy the bundle anew"
    if found == expected:
        return ""
    return f"is not the file that the manifest names (sha256 {found[:12]}…, not {expected[:12]}…); copy the bundle anew"


def _network_faults(path: Path) -> list[str]:
    """Return why a network may not be loaded: a bundle may come from anywhere, its hash says nothing of that."""
    return examine(path)[1] if path.suffix == ".onnx" else []


def _missing_entries(document: Document, manifest: Manifest) -> list[Fault]:
    """Nothing may be used that has no hash."""
    used: dict[tuple[str | int, ...], str] = {
        ("detector", "file"): manifest.detector.file,
        **{("detector", "variants", index): each.file for index, each in enumerate(manifest.detector.variants)},
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
