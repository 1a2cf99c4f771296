"""Makes a bundle of an exported network: inspect, write the manifest, show pictures, take what was confirmed.

Free of numpy: networks and pictures are the children's.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from agent.core.errors import NotAllowed
from agent.core.files import sha256_of
from models.detection import Offer
from models.feed import InputSpec
from models.inspection import MOST_MEMORY, Inspection, Question, ask_child, inspect
from models.labels import NOTHING, meanings, offered, unknown_labels, wrong_means
from models.vocabulary import Gear, Thing

NETWORK, PROPOSED, SHOWN, GOLDEN = "detector.onnx", "proposed.yaml", "shown", "golden"
MOST_PICTURES = 24
SURE, DOUBTFUL = 0.45, 0.25
_PICTURES = (".jpg", ".jpeg", ".png")
_SHOW_LIMIT_S = 120.0


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody says of a network; whatever is empty the file shall tell. ``size`` is width and height."""

    file: Path
    out: Path
    name: str
    version: str = "1.0.0"
    labels: tuple[str, ...] = ()
    means: dict[str, str] = field(default_factory=dict)
    layout: str = ""
    size: tuple[int, ...] = ()
    feed: dict[str, Any] = field(default_factory=dict)
    pictures: Path | None = None


@dataclass(frozen=True, slots=True)
class Imported:
    """A bundle that waits for its golden cases. ``shown`` are its proposals, one for each picture."""

    folder: Path
    inspection: Inspection
    offer: Offer
    unknown: tuple[str, ...]
    half: tuple[str, ...]
    """Equipment of which only worn or only missing can be seen, so that it cannot be demanded."""
    shown: tuple[dict[str, Any], ...]


def import_model(wish: Wish) -> Imported:
    """Make a bundle. Raises NotAllowed, in words, when the network or the wish is not fit."""
    if wish.out.exists() and any(wish.out.iterdir()):
        raise NotAllowed(f"{wish.out} is not empty; name another folder with --out")
    pictures = pictures_in(wish.pictures) if wish.pictures else []
    found = inspect(
        Question(
            str(wish.file),
            wish.labels,
            wish.layout,
            wish.size,
            wish.feed,
            tuple(str(path.absolute()) for path in pictures),
        )
    )
    offer = _offer(found, wish)
    wish.out.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(wish.file, wish.out / NETWORK)
    _write(wish.out / "manifest.yaml", _manifest(wish, found))
    shown = _propose(wish.out, pictures)
    known = meanings(found.classes, wish.means)
    half = {str(item.gear) for item in known if item and item.gear} - set(map(str, offer.gear))
    return Imported(
        wish.out, found, offer, tuple(unknown_labels(found.classes, wish.means)), tuple(sorted(half)), tuple(shown)
    )


def confirm(folder: Path, names: Sequence[str] = ()) -> list[str]:
    """Make golden cases of proposals that somebody looked at, all or those named; return their pictures.

    Raises NotAllowed when there is no such proposal, or its picture is not the one that was shown.
    """
    proposals = {case["picture"]: case for case in _read(folder / PROPOSED).get("cases", [])}
    wrong = [name for name in names if name not in proposals]
    if wrong or not proposals:
        raise NotAllowed(f"{folder} has no proposal {(wrong or ['at all'])[0]!r}; import with --pictures first")
    manifest = _read(folder / "manifest.yaml")
    cases = [proposals[name] for name in names or proposals]
    for case in cases:
        path = f"{GOLDEN}/{case['picture']}"
        if case.pop("sha256") != sha256(folder / path):
            raise NotAllowed(f"{path} is not the picture that was shown; import it anew")
        manifest["files"][path] = sha256(folder / path)
        case["picture"] = path
    kept = [case for case in manifest.get("golden", []) if case["picture"] not in {new["picture"] for new in cases}]
    manifest["golden"] = [*kept, *cases]
    _write(folder / "manifest.yaml", manifest)
    return [case["picture"] for case in cases]


def evaluate(folder: Path, pictures: Path | None, out: Path | None = None) -> dict[str, Any]:
    """Run a bundle on its golden cases and on a folder of pictures.

    Returns ``cases`` (what is seen in each picture), ``golden_faults`` and ``look_ms`` (median). Raises NotAllowed.
    """
    paths = pictures_in(pictures, None) if pictures else []
    if out:
        out.mkdir(parents=True, exist_ok=True)
    return _show(folder, paths, out, golden="golden" in _read(folder / "manifest.yaml"))


def pictures_in(folder: Path, most: int | None = MOST_PICTURES) -> list[Path]:
    """Return the pictures of a folder by name. Raises NotAllowed when there is none."""
    found = sorted(path for path in folder.glob("*") if path.suffix.lower() in _PICTURES) if folder.is_dir() else []
    if not found:
        raise NotAllowed(f"{folder} holds no picture ({', '.join(_PICTURES)})")
    return found[:most]


def sha256(path: Path) -> str:
    """Return a file's hash as a manifest writes it. Raises NotAllowed when it cannot be read."""
    try:
        return sha256_of(path)
    except OSError as error:
        raise NotAllowed(f"{path} cannot be read: {error.strerror}") from error


def _offer(found: Inspection, wish: Wish) -> Offer:
    wrong = wrong_means(found.classes, wish.means)
    if wrong:
        raise NotAllowed("; ".join(message for _, message in wrong))
    offer = offered(meanings(found.classes, wish.means))
    if not offer.things and not offer.gear:
        raise NotAllowed(
            f"{wish.file.name}: none of its classes means anything here ({', '.join(found.classes[:10])}); "
            f"say what they stand for with --means LABEL=MEANING, such as {found.classes[0]}=person; "
            f"known are {', '.join([NOTHING, *Thing, *Gear, *(f'no_{gear}' for gear in Gear)])}"
        )
    return offer


def _manifest(wish: Wish, found: Inspection) -> dict[str, Any]:
    detector: dict[str, Any] = {
        "file": NETWORK,
        "layout": found.layout,
        "decided_by": found.decided_by,
        **InputSpec.model_validate(found.feed).model_dump(mode="json"),
        "classes": list(found.classes),
        "nms_iou": 0.5,
        "sure": SURE,
        "doubtful": DOUBTFUL,
    }
    if wish.means:
        detector["means"] = dict(wish.means)
    return {
        "name": wish.name,
        "version": wish.version,
        "agent": "0.1.0",
        "licence": found.licence or "unknown",
        "attribution": f"imported from {wish.file.name}; say here whose it is",
        "files": {NETWORK: sha256(wish.out / NETWORK)},
        "detector": detector,
    }


def _propose(folder: Path, pictures: Sequence[Path]) -> list[dict[str, Any]]:
    if not pictures:
        return []
    copies = folder / GOLDEN
    (folder / SHOWN).mkdir()
    copies.mkdir()
    for path in pictures:
        shutil.copyfile(path, copies / path.name)
    answer = _show(folder, [copies / path.name for path in pictures], folder / SHOWN, golden=False)
    cases = [{**case, "sha256": sha256(copies / case["picture"])} for case in answer["cases"] if "fault" not in case]
    _write(folder / PROPOSED, {"cases": cases})
    return cases


def _show(folder: Path, pictures: Sequence[Path], out: Path | None, *, golden: bool) -> dict[str, Any]:
    asked = {
        "folder": str(folder.absolute()),
        "pictures": [str(path.absolute()) for path in pictures],
        "out": str(out.absolute()) if out else "",
        "golden": golden,
        "memory": MOST_MEMORY,
        "cpu_s": int(_SHOW_LIMIT_S),
    }
    answer = ask_child("models.showing", asked, folder.name, _SHOW_LIMIT_S)
    if "refused" in answer:
        raise NotAllowed(f"{folder.name}: {answer['refused']}")
    return answer


def _read(path: Path) -> dict[str, Any]:
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise NotAllowed(f"{path} cannot be read; import the network first") from error
    return data if isinstance(data, dict) else {}


def _write(path: Path, data: dict[str, Any]) -> None:
    text = yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=120, default_flow_style=None)
    path.write_text(text, encoding="utf-8")
