"""The bundles on disk: each whole under its name and version, or not there at all, whenever the power goes.

``models/versions/<name>/<version>/`` holds a copy; ``models/current`` says which one each camera runs,
``models/newest`` which version was the newest that worked.
Synchronous: the keeper calls it from a thread.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import structlog
from pydantic import TypeAdapter

from agent.app.lasting import read_or
from agent.app.modelsets.newest import Newest
from agent.core.errors import ConfigError
from agent.core.files import replace_durably, sync
from models.bundle import Bundle, load_bundle
from models.signers import SIGNATURES, Signers, signatures_of

log = structlog.get_logger(__name__)

PICTURES_KEPT_S = 30 * 86400.0
"""People are on them, if without faces."""
_STEPS = 10
_TEMPORARY = ".new-"
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]*")


@dataclass(frozen=True)
class Choice:
    """What a camera runs: folders below ``versions``, the confirmed one last. Nothing: what ``site.yaml`` names."""

    stack: tuple[str, ...] = ()
    since: str = field(default="", compare=False)
    """When the confirmed one began to work; ISO 8601, empty where it is not known."""

    @property
    def confirmed(self) -> str:
        """The one to start with, or nothing."""
        return self.stack[-1] if self.stack else ""

    def with_(self, key: str, since: str) -> Choice:
        """Return it with another one on top."""
        return Choice((*self.stack, key)[-_STEPS:], since) if key != self.confirmed else self


@dataclass(frozen=True)
class Current:
    """Every camera's choice, by its id."""

    cameras: Mapping[str, Choice] = field(default_factory=dict)

    def of(self, camera: str) -> Choice:
        """Return one camera's."""
        return self.cameras.get(camera, Choice())


_CURRENT = TypeAdapter(Current)


def key_of(bundle: Bundle) -> str:
    """Name a bundle as its folder is named."""
    return f"{bundle.manifest.name}/{bundle.manifest.version}"


class ModelStore:
    """Folder of the bundles. Methods raise OSError as files do."""

    def __init__(self, folder: Path, signers: Signers = Signers({})) -> None:  # noqa: B008 - it is immutable
        self.folder, self._signers = folder, signers
        self.newest = Newest(folder / "newest")

    def path(self, key: str) -> Path:
        """Return where a bundle stands."""
        return self.folder / "versions" / key

    def keys(self) -> list[str]:
        """Name every bundle that is kept."""
        found = (self.folder / "versions").glob("*/*/manifest.yaml")
        return sorted(
            str(path.parent.relative_to(self.folder / "versions"))
            for path in found
            if not path.parent.name.startswith(_TEMPORARY)
        )

    def stage(self, source: Path) -> Bundle:
        """Copy a bundle's own files to where nobody runs it, and verify the copy. Raises ConfigError, ValueError."""
        self._signers.verify(source)  # before anything of it is read that could be hostile
        bundle = load_bundle(source)
        if not _NAME.fullmatch(bundle.manifest.name):
            raise ValueError(f"{bundle.manifest.name!r} is no name of a model; use letters, digits, _ and -")
        staging = self.folder / "versions" / f"{_TEMPORARY}{bundle.manifest.name}"
        shutil.rmtree(staging, ignore_errors=True)
        for name in ("manifest.yaml", *bundle.manifest.files):
            target = staging / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source / name, target)
        if signatures := signatures_of(source):
            (staging / SIGNATURES).write_text(signatures, encoding="ascii")
        for path in (*staging.rglob("*"), staging):
            sync(path)
        self._signers.verify(staging)
        return load_bundle(staging)

    def load(self, key: str) -> Bundle:
        """Return a bundle that is kept, verified anew. Raises ConfigError."""
        self._signers.verify(self.path(key))
        return load_bundle(self.path(key))

    def keep(self, staged: Bundle) -> Path:
        """Give a staged bundle its name. Raises ValueError when another one has it."""
        target = self.path(key_of(staged))
        if target.exists() and not self._same(target, staged):
            raise ValueError(f"{staged.title} is kept already with other files; give the new one a new version")
        if target.exists():
            _take_signatures(staged.folder, target)
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            staged.folder.rename(target)
            for folder in (target.parent, target.parent.parent):
                sync(folder)
        return target

    def discard(self, staged: Bundle) -> None:
        """Forget what was staged."""
        shutil.rmtree(staged.folder, ignore_errors=True)

    def current(self) -> Current:
        """Return what was decided last; nothing if nothing can be read."""
        return read_or(self.folder / "current", _CURRENT, Current(), "which models ran last")

    def decide(self, camera: str, choice: Choice) -> None:
        """Write what a camera runs from now on."""
        current = Current({**self.current().cameras, camera: choice})
        self.folder.mkdir(parents=True, exist_ok=True)
        content = json.dumps(asdict(current)).encode()
        replace_durably(self.folder / "current", content, self.folder / f"{_TEMPORARY}current")

    def keep_comparison(self, row: Mapping[str, Any], pictures: Mapping[str, bytes]) -> dict[str, Any]:
        """Keep what a camera's models said, in place of the last time; return it with the pictures' paths."""
        folder = self.folder / "shadow" / str(row["camera"])
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for name, jpeg in pictures.items():
            (folder / name).write_bytes(jpeg)
        kept = {**row, "pictures_kept": [str(folder / name) for name in sorted(pictures)]}
        (folder / "comparison.json").write_text(json.dumps(kept, indent=1), encoding="utf-8")
        return kept

    def expire_pictures(self, now_s: float) -> None:
        """Delete what a comparison showed a month ago (now in seconds since 1970); what it counted is kept."""
        for picture in (self.folder / "shadow").glob("*/*.jpg"):
            with suppress(OSError):  # it is replaced just now, or the disk fails, which is told elsewhere
                if now_s - picture.stat().st_mtime > PICTURES_KEPT_S:
                    picture.unlink()

    def comparison(self, camera: str) -> dict[str, Any] | None:
        """Return what a camera's models said the last time, None when they never did."""
        try:
            found = json.loads((self.folder / "shadow" / camera / "comparison.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        if not isinstance(found, dict):
            return None
        kept = [path for path in found.get("pictures_kept", ()) if Path(path).exists()]
        return {**found, "pictures_kept": kept}

    def fault(self, key: str) -> str:
        """Return why a bundle that is kept may not run, or nothing."""
        try:
            self.load(key)
        except (ConfigError, OSError) as error:
            return str(error).splitlines()[0]
        return ""

    def sound(self, choice: Choice) -> list[str]:
        """Return a camera's bundles that are still whole and trusted, the confirmed one first."""
        return [key for key in reversed(choice.stack) if not self.fault(key)]

    def _same(self, target: Path, staged: Bundle) -> bool:
        with suppress(ConfigError, OSError):
            return load_bundle(target).manifest == staged.manifest
        shutil.rmtree(target)  # it is damaged
        return True


def _take_signatures(staged: Path, kept: Path) -> None:
    """Who signs may come later than the bundle."""
    if (staged / SIGNATURES).exists():
        (staged / SIGNATURES).replace(kept / SIGNATURES)
        sync(kept)
