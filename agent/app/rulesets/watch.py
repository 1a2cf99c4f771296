"""Looks at the rule files of a site, once a second. A plain look costs some ten system calls and misses nothing.

The libraries that wait for the kernel's word instead do not hear of changes on network shares, nor of a
folder that is replaced by another; where rules lie on either, a look is what counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from agent.app.rulesets.bundle import TESTS, Bundle, gather
from agent.app.rulesets.yielding import yielding

Stamps = dict[str, object]


class Watch:
    """Synchronous: the keeper calls it from a thread."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self._paths = tuple(paths)
        self._known = self._paths
        self._seen: Stamps | None = None
        self._read: Stamps | None = None

    def look(self) -> Bundle | None:
        """Return what the files say, if they have changed since the last time and are at rest; at first always."""
        found = _stamps(self._known)
        resting = self._seen is None or found == self._seen
        self._seen = found
        return self.read() if resting and found != self._read else None

    def read(self) -> Bundle:
        """Return what the files say now."""
        before = _stamps(self._known)
        with yielding():
            bundle = gather(self._paths)
        known = tuple(Path(bundle.root) / name for name in (*bundle.files, *bundle.missing))
        self._read = self._seen = before if known == self._known else None  # other files: the next look reads again
        self._known = known
        return bundle


def _stamps(paths: Sequence[Path]) -> Stamps:
    """Return what tells that a file has changed, or that a test came or went beside it.

    Not when a folder last changed: where other files come and go all the time it would never be at rest.
    """
    folders = {path.parent for path in paths}
    tests: Stamps = {str(folder): sorted(test.name for test in folder.glob(TESTS)) for folder in folders}
    return tests | {str(path): _stamp(path) for path in paths}


def _stamp(path: Path) -> object:
    try:
        stat = path.stat()
    except OSError as error:
        return error.errno
    return stat.st_mtime_ns, stat.st_ctime_ns, stat.st_size, stat.st_ino
