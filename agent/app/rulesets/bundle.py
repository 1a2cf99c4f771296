"""A rule set as bytes: the files that the site names, what they include, and the tests that lie beside them."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath

from agent.core.document import Document
from agent.core.errors import ConfigError, Fault
from rules.files import LIBRARY, RuleFiles

TESTS = "*.test.yaml"
MOST_BYTES = 4_000_000
"""A set that is larger was not written by people."""


@dataclass(frozen=True)
class Bundle:
    """``rules`` are the names of the files that count, in order; ``files`` has these, their includes and tests.

    Names are relative to ``root``, the folder that all of them have in common; ``missing`` are those that
    cannot be read.
    """

    root: str
    rules: tuple[str, ...]
    files: Mapping[str, bytes]
    tests: tuple[str, ...] = ()
    missing: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def revision(self) -> str:
        """Name the rules: the same files with the same content have the same revision, wherever they lie."""
        return self._digest(sorted(set(self.files) - set(self.tests)))

    @cached_property
    def fingerprint(self) -> str:
        """Name everything, the tests and what is missing too."""
        return self._digest(sorted({*self.files, *self.missing}))

    @property
    def bytes(self) -> int:
        """Return how large it is."""
        return sum(map(len, self.files.values()))

    def faults(self) -> Iterator[Fault]:
        """Yield what cannot be read."""
        for name, reason in self.missing.items():
            yield Fault(str(Path(self.root) / name), 1, 1, f"cannot be read: {reason}")

    def write(self, folder: Path) -> list[Path]:
        """Write every file below ``folder``; return them. Raises OSError."""
        written = []
        for name, content in self.files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            written.append(path)
        return written

    def _digest(self, names: Iterable[str]) -> str:
        digest = hashlib.sha256(json.dumps(self.rules).encode())
        for name in names:
            content = hashlib.sha256(self.files[name]).hexdigest() if name in self.files else "missing"
            digest.update(f"\0{name}\0{content}".encode())
        return digest.hexdigest()[:12]


def gather(paths: Sequence[Path]) -> Bundle:
    """Read the rule files at ``paths``, and what belongs to them."""
    rules = [_absolute(path) for path in paths]
    named = {*rules, *included(rules)}
    everything = {path: _read(path) for path in sorted({*named, *_beside(named)})}
    root = Path(os.path.commonpath([path.parent for path in everything])) if everything else Path("/")
    names = {path: path.relative_to(root).as_posix() for path in everything}
    return Bundle(
        str(root),
        tuple(names[path] for path in rules),
        {names[path]: content for path, content in everything.items() if isinstance(content, bytes)},
        tuple(name for path, name in names.items() if path.name.endswith(TESTS[1:]) and path not in named),
        {names[path]: content for path, content in everything.items() if isinstance(content, str)},
    )


def pushed(rules: Sequence[str], files: Mapping[str, str]) -> Bundle:
    """Return the set that somebody sent. Raises ValueError for names that are none."""
    for name in (*files, *rules):
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts or not path.name or "\\" in name or "\0" in name:
            raise ValueError(f"{name!r} is not the name of a rule file; send names relative to one folder")
    absent = [name for name in rules if name not in files]
    if absent or not rules:
        raise ValueError(f"the content of {absent[0]} was not sent" if absent else "no rule file was sent")
    tests = tuple(name for name in files if name.endswith(TESTS[1:]) and name not in rules)
    return Bundle("", tuple(rules), {name: text.encode() for name, text in files.items()}, tests)


def included(rules: Iterable[Path]) -> Iterator[Path]:
    """Yield what rule files include, and so on, and their tables; the library is part of the program."""
    files = RuleFiles()
    for path in rules:
        if path.resolve() not in files.sources:
            files.read(path)
    for source in files.sources.values():
        folder = Path(source.document.name).parent
        if folder.resolve() == LIBRARY.resolve():
            continue
        yield _absolute(Path(source.document.name))
        for index in range(source.rules):
            table = source.document.at(("rules", index, "for_each", "file"))
            if isinstance(table, str):
                yield _absolute(folder / table)


def _beside(named: set[Path]) -> Iterator[Path]:
    """Yield the tests of these files: those beside them that say so."""
    for folder in {path.parent for path in named}:
        for test in folder.glob(TESTS):
            if _tested(test) in named or _by_name(test) in named:
                yield test


def _by_name(test: Path) -> Path:
    return test.with_name(test.name.removesuffix(TESTS[1:]) + ".yaml")


def _tested(test: Path) -> Path | None:
    try:
        name = Document.load(test).at(("rules",))
    except ConfigError:
        return None  # a test with faults counts by its name
    return _absolute(test.parent / name) if isinstance(name, str) else None


def _absolute(path: Path) -> Path:
    """Return the path without ``..``, but with its links: a link is what its name says."""
    return Path(os.path.abspath(path))  # noqa: PTH100


def _read(path: Path) -> bytes | str:
    try:
        if path.stat().st_size > MOST_BYTES:
            return "it is too large"
        return path.read_bytes()
    except OSError as error:
        return error.strerror or str(error)
