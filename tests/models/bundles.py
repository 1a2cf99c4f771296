"""Bundles made for tests out of the one that comes with anshao."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import yaml

from models.options import BUNDLED


def bundle(folder: Path, version: str = "9.0.1", **changes: Any) -> Path:
    """Return a copy of ppe with a version that is newer than any shipped one, for an older one is refused.

    ``detector`` and the like are merged into the manifest.
    """
    shutil.copytree(BUNDLED / "ppe", folder)
    manifest = yaml.safe_load((folder / "manifest.yaml").read_text())
    manifest["version"] = version
    for name, change in changes.items():
        manifest[name] = {**manifest[name], **change} if isinstance(change, dict) else change
    (folder / "manifest.yaml").write_text(yaml.safe_dump(manifest, allow_unicode=True))
    return folder
