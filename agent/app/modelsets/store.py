"""The bundles on disk: each whole under its name and version, or not there at all, whenever the power goes.

``models/versions/<name>/<version>/`` holds a copy; ``models/current`` says which one each camera runs.
Synchronous: the keeper calls it from a thread.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

import structlog
from pydantic import TypeAdapter, ValidationError

from agent.core.errors import ConfigError
from models.bundle import Bundle, load_bundle

log = structlog.get_logger(__name__)

_STEPS = 10
_TEMPORARY = ".new-"
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]*")


@dataclass(frozen=True)
class Choice:
    """What a camera runs: folders below ``versions``, the confirmed one last. Nothing: what ``site.yaml`` names."""

    stack: tuple[str, ...] = ()

    @property
    def confirmed(self) -> str:
        """The one to start with, or nothing."""
        return self.stack[-1] if self.stack else ""

    def up_to(self, key: str) -> Choice:
        """Return it without those above ``key``."""
        return Choice(self.stack[: len(self.stack) - self.stack[::-1].index(key)])

    def with_(self, key: str) -> Choice:
        """Return it with another one on top."""
        return Choice((*self.stack, key)[-_STEPS:]) if key != self.confirmed else self


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

    def __init__(self, folder: Path) -> None:
        self.folder = folder

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
        bundle = load_bundle(source)
        if not _NAME.fullmatch(bundle.manifest.name):
            raise ValueError(f"{bundle.manifest.name!r} is no name of a model; use letters, digits, _ and -")
        staging = self.folder / "versions" / f"{_TEMPORARY}{bundle.manifest.name}"
        shutil.rmtree(staging, ignore_errors=True)
        for name in ("manifest.yaml", *bundle.manifest.files):
            target = staging / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source / name, target)
        for path in (*staging.rglob("*"), staging):
            _sync(path)
        return load_bundle(staging)

    def keep(self, staged: Bundle) -> Path:
        """Give a staged bundle its name. Raises ValueError when another one has it."""
        target = self.path(key_of(staged))
        if target.exists() and not self._same(target, staged):
            raise ValueError(f"{staged.title} is kept already with other files; give the new one a new version")
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            staged.folder.rename(target)
            for folder in (target.parent, target.parent.parent):
                _sync(folder)
        return target

    def discard(self, staged: Bundle) -> None:
        """Forget what was staged."""
        shutil.rmtree(staged.folder, ignore_errors=True)

    def current(self) -> Current:
        """Return what was decided last; nothing if nothing can be read."""
        try:
            return _CURRENT.validate_json((self.folder / "current").read_bytes())
        except FileNotFoundError:
            return Current()
        except (OSError, ValidationError) as error:
            log.error("which models ran last cannot be read", reason=str(error).splitlines()[0])
            return Current()

    def decide(self, camera: str, choice: Choice) -> None:
        """Write what a camera runs from now on."""
        current = Current({**self.current().cameras, camera: choice})
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / f"{_TEMPORARY}current"
        with path.open("wb") as file:
            file.write(json.dumps(asdict(current)).encode())
            file.flush()
            os.fsync(file.fileno())
        path.replace(self.folder / "current")
        _sync(self.folder)

    def sound(self, choice: Choice) -> list[str]:
        """Return a camera's bundles that are still whole, the confirmed one first."""
        found = []
        for key in reversed(choice.stack):
            try:
                load_bundle(self.path(key))
            except (ConfigError, OSError) as error:
                log.error("a model that ran is damaged", model=key, reason=str(error).splitlines()[0])
                continue
            found.append(key)
        return found

    def _same(self, target: Path, staged: Bundle) -> bool:
        with suppress(ConfigError, OSError):
            return load_bundle(target).manifest == staged.manifest
        shutil.rmtree(target)  # it is damaged
        return True


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
