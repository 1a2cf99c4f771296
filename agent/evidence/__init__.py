"""Evidence of alarms: pictures and clips that cameras' workers keep, told and sent after the alarm itself."""

from __future__ import annotations

from agent.evidence.evidence import Evidence
from agent.evidence.item import ItemRow
from agent.evidence.options import EvidenceOptions

__all__ = ["Evidence", "EvidenceOptions", "ItemRow"]
