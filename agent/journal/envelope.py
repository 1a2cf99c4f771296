"""The CloudEvents 1.0 envelope of an event, and the saved form of an alarm. docs/events.md explains the fields."""

from __future__ import annotations

import hashlib
import json
import os
import random
import time
import zlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter
from pydantic_core import to_json

from agent.core.model import Alarm, EventDraft

SPEC = "1.0"
_noise = random.Random(os.urandom(64)).getrandbits
_VARIANT = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}
"""RFC 9562, 4.1: the two top bits are 10."""


@dataclass(frozen=True)
class Identity:
    """Who speaks: goes into every envelope."""

    gateway: str
    site: str
    area: str
    software: str
    config_revision: str = ""
    rules_revision: str = ""

    @property
    def source(self) -> str:
        """The CloudEvents source."""
        return f"/{self.site}/{self.gateway}"


@cache
def boot_id() -> str:
    """Return the kernel's id of this boot: monotonic times of another boot mean nothing here."""
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


def uuid7(wall_ms: int) -> str:
    """Return a UUIDv7 (RFC 9562, 5.7): it sorts by time, and no two are alike."""
    time, noise = f"{wall_ms & (1 << 48) - 1:012x}", f"{_noise(76):019x}"
    return f"{time[:8]}-{time[8:]}-7{noise[:3]}-{_VARIANT[noise[3]]}{noise[4:7]}-{noise[7:]}"


def envelope(draft: EventDraft, who: Identity, lane_seq: int, previous_hash: str) -> dict[str, Any]:
    """Return the envelope; what is known only when it is sent (replayed, age) travels beside it."""
    body: dict[str, Any] = {
        "specversion": SPEC,
        "id": uuid7(int(draft.at.utc.timestamp() * 1000)),
        "source": who.source,
        "type": f"anshao.{draft.kind}.v1",
        "subject": draft.subject,
        "time": draft.at.utc.isoformat(),
        "datacontenttype": "application/json",
        "gateway": who.gateway,
        "site": who.site,
        "area": who.area,
        "zone": draft.zone,
        "bootid": boot_id(),
        "monons": int(draft.at.mono_s * 1e9),
        "clock": clock_state(),
        "lane": str(draft.lane),
        "seq": lane_seq,
        "test": draft.test,
        "swversion": who.software,
        "configrev": who.config_revision,
        "rulesrev": draft.rules_revision or who.rules_revision,
        "prevhash": previous_hash,
    }
    return body | (dict(draft.attributes) or {"data": draft.data})


def clock_state() -> str:
    """Return ``synced`` or ``unsynced``, as systemd-timesyncd tells; the wall clock is a label, never a reason."""
    return "synced" if _synced(int(time.monotonic() / 10)) else "unsynced"


@cache
def _synced(_tens_of_seconds: int) -> bool:
    return Path("/run/systemd/timesync/synchronized").exists()


def encode(body: Any) -> bytes:
    """Return the canonical JSON bytes: the same that are hashed, stored and sent."""
    return json.dumps(body, ensure_ascii=False, separators=(",", ":"), sort_keys=True, default=str).encode(
        errors="replace"
    )


def decode(octets: bytes) -> dict[str, Any]:
    """Return what ``encode`` wrote."""
    body: dict[str, Any] = json.loads(octets)
    return body


def chain(previous_hash: str, body: bytes) -> str:
    """Return the hash of a row: of the one before it, and of its own bytes."""
    return hashlib.sha256(previous_hash.encode() + body).hexdigest()


def checksum(body: bytes) -> int:
    """Return the CRC-32 of a row's bytes."""
    return zlib.crc32(body)


_ALARM = TypeAdapter(Alarm)


def alarm_to_json(alarm: Alarm) -> str:
    """Return an alarm's state as it is saved."""
    return to_json(alarm, inf_nan_mode="constants", exclude_none=True).decode()


def alarm_from_json(text: str) -> Alarm:
    """Read a saved alarm. Raises ValueError for what is none; fields that this version lacks are left out."""
    return _ALARM.validate_json(text)
