"""The sets that ran, on disk: what was active is found again after a power cut, whole or not at all.

``rules/<revision>/`` holds a copy of each; ``rules/current`` says which one runs and which ran before.
Synchronous: the keeper calls it from a thread.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import structlog
from pydantic import TypeAdapter

from agent.app.lasting import read_or
from agent.app.rulesets.bundle import Bundle
from agent.core.files import replace_durably, sync

log = structlog.get_logger(__name__)

KEPT = 10
"""How many sets are kept, and how many steps back there are at most."""
_TEMPORARY = ".new-"


@dataclass(frozen=True)
class Entry:
    """What was done: ``applied``, ``rolled-back`` … ``at`` is UTC as ISO 8601."""

    revision: str
    action: str
    at: str
    operator: str = ""
    via: str = ""
    note: str = ""


@dataclass(frozen=True)
class Current:
    """``stack`` are the sets, the active one last; ``seen`` the fingerprint of the files when it was decided."""

    stack: tuple[str, ...] = ()
    seen: str = ""
    log: tuple[Entry, ...] = ()

    @property
    def active(self) -> str:
        """The revision that runs, or nothing."""
        return self.stack[-1] if self.stack else ""

    def applied(self, entry: Entry, seen: str) -> Current:
        """Return it with another set on top."""
        stack = (*self.stack, entry.revision) if entry.revision != self.active else self.stack
        return Current(stack[-KEPT:], seen, (*self.log, entry)[-KEPT:])

    def rolled_back(self, entry: Entry, seen: str) -> Current:
        """Return it one step back."""
        return Current(self.stack[:-1], seen, (*self.log, entry)[-KEPT:])


_CURRENT = TypeAdapter(Current)


class RuleStore:
    """Folder of the sets. Methods raise OSError as files do."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def current(self) -> Current:
        """Return what was decided last; nothing if nothing can be read."""
        return read_or(self.folder / "current", _CURRENT, Current(), "which rules ran last")

    def decide(self, current: Current) -> None:
        """Write what runs from now on; then forget sets that nobody can go back to."""
        self.folder.mkdir(parents=True, exist_ok=True)
        content = json.dumps(asdict(current), ensure_ascii=False).encode()
        replace_durably(self.folder / "current", content, self.folder / f"{_TEMPORARY}current")
        self._prune({*current.stack, *(entry.revision for entry in current.log)})

    def keep(self, bundle: Bundle) -> None:
        """Keep a copy of a set: under its name only when all of it is on the disk."""
        target = self.folder / bundle.revision
        if self._is_whole(bundle.revision):
            return
        staging = self.folder / f"{_TEMPORARY}{bundle.revision}"
        shutil.rmtree(staging, ignore_errors=True)
        (staging / "files").mkdir(parents=True)
        manifest = {"root": bundle.root, "rules": bundle.rules, "tests": bundle.tests}
        (staging / "manifest.json").write_text(json.dumps(manifest, ensure_ascii=False), encoding="utf-8")
        bundle.write(staging / "files")
        for path in (*staging.rglob("*"), staging):
            sync(path)
        if target.exists():
            shutil.rmtree(target)  # it is damaged
        staging.rename(target)
        sync(self.folder)

    def bundle(self, revision: str) -> Bundle:
        """Return a set that was kept. Raises ValueError when it is not what was kept."""
        folder = self.folder / revision
        manifest: dict[str, Any] = json.loads((folder / "manifest.json").read_bytes())
        files = folder / "files"
        content = {path.relative_to(files).as_posix(): path.read_bytes() for path in files.rglob("*") if path.is_file()}
        found = Bundle(manifest["root"], tuple(manifest["rules"]), content, tuple(manifest["tests"]))
        if found.revision != revision:
            raise ValueError(f"the copy of rule set {revision} is damaged")
        return found

    def paths(self, bundle: Bundle) -> tuple[Path, ...]:
        """Return where the rule files of a set lie that was kept."""
        return tuple(self.folder / bundle.revision / "files" / name for name in bundle.rules)

    def last_good(self) -> Iterator[Bundle]:
        """Yield the sets that ran, the last one first; those that are damaged are left out."""
        for revision in dict.fromkeys(reversed(self.current().stack)):
            if found := self.readable(revision):
                yield found

    def readable(self, revision: str) -> Bundle | None:
        """Return a set that was kept, None if it cannot be used."""
        try:
            return self.bundle(revision)
        except (OSError, ValueError, KeyError, TypeError) as error:
            log.error("a kept rule set cannot be used", revision=revision, reason=str(error))
            return None

    def _is_whole(self, revision: str) -> bool:
        return (self.folder / revision).exists() and self.readable(revision) is not None

    def _prune(self, wanted: set[str]) -> None:
        for path in self.folder.iterdir():
            if path.is_dir() and path.name not in wanted:
                shutil.rmtree(path, ignore_errors=True)
