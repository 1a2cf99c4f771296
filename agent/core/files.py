"""Files that are there whole or as they were, also after the power went; and the hash by which one is known."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path


def replace_durably(path: Path, content: bytes, draft: Path) -> None:
    """Write ``content`` to ``draft``, in the same folder, and give it the name ``path`` once it is on the disk.

    The name itself is on the disk when this returns. Raises OSError; then ``path`` is as it was.
    """
    with draft.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    sync(path.parent)


def sync(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk. Raises OSError."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sha256_of(path: Path) -> str:
    """Return a file's SHA-256, 64 hex digits; a file of any size takes little memory. Raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
