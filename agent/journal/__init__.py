"""The journal: every event on disk before it goes anywhere, chained by hashes, kept until it was taken."""

from __future__ import annotations

from agent.journal.envelope import Identity, boot_id
from agent.journal.journal import Journal
from agent.journal.store import Row

__all__ = ["Identity", "Journal", "Row", "boot_id"]
