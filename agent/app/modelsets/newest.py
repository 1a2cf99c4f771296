"""The newest version of each model that ever worked here: who offers an older one may want its faults back."""

from __future__ import annotations

from pathlib import Path

import structlog
from pydantic import TypeAdapter, ValidationError

from agent.core.files import replace_durably

log = structlog.get_logger(__name__)
_VERSIONS = TypeAdapter(dict[str, str])


class Newest:
    """Versions by name, in a small file. Synchronous: used from a thread."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._versions: dict[str, str] | None = None

    def of(self, name: str) -> str:
        """Return the newest version of a model that worked; nothing when none did."""
        return self._known().get(name, "")

    def note(self, name: str, version: str) -> None:
        """A model works here. A disk that fails costs no more than the memory of it over a restart."""
        known = self._known()
        if name in known and not is_older(known[name], version):
            return
        known[name] = version
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            replace_durably(self._path, _VERSIONS.dump_json(known), self._path.with_name(".new-newest"))
        except OSError as error:
            log.warning("the newest model cannot be written down", reason=error.strerror or str(error))

    def _known(self) -> dict[str, str]:
        if self._versions is None:
            self._versions = self._load()
        return self._versions

    def _load(self) -> dict[str, str]:
        try:
            return _VERSIONS.validate_json(self._path.read_bytes())
        except FileNotFoundError:
            return {}
        except (OSError, ValidationError) as error:
            log.error("which models were the newest cannot be read", reason=str(error).splitlines()[0])
            return {}


def is_older(version: str, than: str) -> bool:
    """Compare versions as ``manifest.yaml`` has them, ``1.2.10``; nothing is older than "", which is none."""
    return bool(than) and _numbers(version) < _numbers(than)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) if part.isdecimal() else 0 for part in version.split("."))
