"""Rule sets while the agent runs: read, tried, kept, swapped, and one step back."""

from __future__ import annotations

from agent.app.rulesets.bundle import Bundle, gather
from agent.app.rulesets.keeper import Active, RuleSets
from agent.app.rulesets.store import RuleStore

__all__ = ["Active", "Bundle", "RuleSets", "RuleStore", "gather"]
