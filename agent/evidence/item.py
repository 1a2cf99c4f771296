"""A piece of evidence as the gateway knows it, and the order that it belongs to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

from typing_extensions import TypedDict

ORIGINALS = ("original", "original-clip")
"""Kinds that show faces, and never leave the gateway."""


class ItemRow(TypedDict):
    """An item in JSON; times are UTC in ISO form."""

    id: str
    kind: str
    alarm_id: str
    occurrence_id: str
    camera: str
    priority: str
    media_type: str
    bytes: int
    sha256: str
    taken_at: str
    seconds: float
    model: str
    blurred: bool
    expires_at: str


@dataclass(frozen=True, slots=True)
class Item:
    """One file. ``id`` is the order's and the kind. ``taken_mono_s`` means nothing on another ``boot``."""

    order: str
    kind: str
    name: str
    media_type: str
    octets: int
    sha256: str
    taken_mono_s: float
    taken_at: str
    expires_at: str
    seconds: float = 0.0
    blurred: bool = False
    model: str = ""

    @property
    def id(self) -> str:
        """What people and events call it."""
        return f"{self.order}/{self.kind}"

    @property
    def is_original(self) -> bool:
        """Tell whether it shows faces, and stays here."""
        return self.kind in ORIGINALS

    @property
    def expires(self) -> datetime:
        """When it goes."""
        return datetime.fromisoformat(self.expires_at)


@dataclass(frozen=True, slots=True)
class Order:
    """What one alarm wants of one camera. ``open`` until everything is written, or given up."""

    id: str
    alarm: str
    occurrence: str
    camera: str
    priority: int
    zone: str
    at_s: float
    at: str
    boot: str
    open: bool = True
    items: tuple[Item, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return it as it is saved."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Order:
        """Read it back. Raises TypeError, KeyError for what is none."""
        return cls(**{**data, "items": tuple(Item(**item) for item in data["items"])})

    def with_item(self, item: Item) -> Order:
        """Return it with one more item, or with a newer one of that kind."""
        others = tuple(each for each in self.items if each.kind != item.kind)
        return replace(self, items=(*others, item))

    def row(self, item: Item) -> ItemRow:
        """Return an item in words of JSON."""
        return {
            "id": item.id,
            "kind": item.kind,
            "alarm_id": self.alarm,
            "occurrence_id": self.occurrence,
            "camera": self.camera,
            "priority": f"P{self.priority}",
            "media_type": item.media_type,
            "bytes": item.octets,
            "sha256": item.sha256,
            "taken_at": item.taken_at,
            "seconds": item.seconds,
            "model": item.model,
            "blurred": item.blurred,
            "expires_at": item.expires_at,
        }
