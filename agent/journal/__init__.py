"""The journal: every event on disk before it goes anywhere, chained by hashes, kept until it was taken."""

from __future__ import annotations

from agent.journal.appending import Entry
from agent.journal.envelope import Identity, boot_id
from agent.journal.journal import Journal
from agent.journal.options import JournalOptions
from agent.journal.outbox import Row
from agent.journal.replays import Replay
from agent.journal.stats import JournalStats

__all__ = ["Entry", "Identity", "Journal", "JournalOptions", "JournalStats", "Replay", "Row", "boot_id"]
