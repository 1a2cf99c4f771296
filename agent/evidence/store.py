"""The folder of the evidence: a folder for each order, with its files and what is known of them. Synchronous."""

from __future__ import annotations

import hashlib
import json
import shutil
from contextlib import suppress
from pathlib import Path

from agent.core.files import replace_durably, sha256_of, sync
from agent.evidence.item import Item, Order
from agent.evidence.quota import MB

_RECORD = "order.json"
_NAMES = {"snapshot": "image/jpeg", "annotated": "image/jpeg", "original": "image/jpeg"}
FILES = {kind: (f"{kind}.jpg", media) for kind, media in _NAMES.items()}
FILES |= {kind: (f"{kind}.mp4", "video/mp4") for kind in ("clip", "original-clip")}


class EvidenceStore:
    """Every method may raise OSError, and may wait for a disk."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()

    def path(self, order: str) -> Path:
        """Return the folder of an order."""
        return self.folder / order

    def save(self, order: Order) -> None:
        """Write what is known of an order; it is there whole or as it was."""
        folder = self.path(order.id)
        folder.mkdir(parents=True, exist_ok=True)
        replace_durably(folder / _RECORD, json.dumps(order.to_json()).encode(), folder / f"part.{_RECORD}")
        sync(self.folder)

    def load(self) -> list[Order]:
        """Return every order, the oldest first; what cannot be read is left out."""
        self.folder.mkdir(parents=True, exist_ok=True)
        return [order for folder in sorted(self.folder.iterdir()) for order in _read(folder / _RECORD)]

    def found(self, order: Order) -> list[tuple[str, str, str, int, str]]:
        """Return kind, name, media type, bytes and sha256 of the files that are there whole."""
        folder, found = self.path(order.id), []
        for part in folder.glob("part.*"):
            part.unlink()
        for kind, (name, media) in FILES.items():
            path = folder / name
            if path.is_file():
                found.append((kind, name, media, path.stat().st_size, sha256_of(path)))
        return found

    def read(self, item: Item) -> tuple[bytes, str]:
        """Return a file's content, or nothing and why it cannot be relied on."""
        try:
            content = (self.path(item.order) / item.name).read_bytes()
        except FileNotFoundError:
            return b"", "missing: the file is gone"
        except OSError as error:
            return b"", f"missing: {error.strerror}"
        if hashlib.sha256(content).hexdigest() != item.sha256:
            return b"", "altered: its sha256 is not the one it had when it was taken"
        return content, ""

    def remove(self, order: Order, item: Item) -> None:
        """Unlink a file, and the order's folder with its last one."""
        (self.path(order.id) / item.name).unlink(missing_ok=True)

    def drop(self, order: Order) -> None:
        """Remove an order that has nothing left."""
        with suppress(FileNotFoundError):
            shutil.rmtree(self.path(order.id))

    def free_mb(self) -> float:
        """Return how much the disk has left."""
        self.folder.mkdir(parents=True, exist_ok=True)
        return shutil.disk_usage(self.folder).free / MB


def _read(path: Path) -> list[Order]:
    try:
        return [Order.from_json(json.loads(path.read_text(encoding="utf-8")))]
    except (OSError, ValueError, TypeError, KeyError):
        return []
