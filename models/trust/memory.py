"""What a camera's worker remembers of its place, in the gateway's state: it survives worker, agent and PC."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from models.options import CameraOptions
from models.redaction import redact

_VERSION = 1


class Memory:
    """One file. A camera with another source, crop or other zones begins afresh: who drew them saw what it sees now.

    A file that cannot be read or written costs what was learnt and nothing else.
    """

    def __init__(self, path: Path | None, options: CameraOptions) -> None:
        self._path = path
        zones = {name: zone.polygon for name, zone in options.zones.items()}
        place = json.dumps([_VERSION, redact(options.source), zones, *(options.part or ())])
        self._of = hashlib.sha256(place.encode()).hexdigest()[:16]

    def load(self) -> Mapping[str, Any] | None:
        """Return what was saved of this very place, None if nothing was."""
        try:
            found = json.loads(self._path.read_text(encoding="utf-8")) if self._path is not None else None
        except (OSError, ValueError):
            return None
        if not isinstance(found, dict) or found.get("of") != self._of:
            return None
        saved = found.get("saved")
        return saved if isinstance(saved, dict) else None

    def save(self, saved: Mapping[str, Any]) -> None:
        """Replace the file as a whole; while a model is swapped two workers may do so at once."""
        if self._path is None:
            return
        scratch = self._path.with_suffix(f".{os.getpid()}.new")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            scratch.write_text(json.dumps({"of": self._of, "saved": saved}), encoding="utf-8")
            scratch.replace(self._path)
        except OSError:
            return
