"""The rule sets as the local API sees them."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from agent.api.rulesets import RulesRow
from agent.app.rulesets.bundle import pushed
from agent.app.rulesets.keeper import RuleSets
from agent.core.model import Operator


class Rules:
    """Implements ``agent.api.rulesets.RulesView``."""

    def __init__(self, sets: RuleSets) -> None:
        self._sets = sets

    def row(self) -> RulesRow:
        """Return what runs, and what was refused."""
        sets, refused = self._sets, self._sets.rejected
        return {
            "revision": sets.active.revision,
            "in_step": sets.in_step,
            "disk": sets.disk,
            "rejected": None
            if refused is None
            else {"revision": refused.revision, "reason": refused.reason, "faults": list(map(str, refused.faults))},
        }

    async def push(
        self, rules: list[str], files: dict[str, str], operator: Operator, force: bool, rehearse: bool
    ) -> dict[str, Any]:
        """Let a set run that somebody sent."""
        return (await self._sets.push(pushed(rules, files), operator, force, rehearse)).plain()

    async def rollback(self, operator: Operator, force: bool) -> dict[str, Any]:
        """Go one step back."""
        return (await self._sets.rollback(operator, force)).plain()

    async def history(self) -> dict[str, Any]:
        """Return what was decided, and to which sets one can go back."""
        current = await self._sets.history()
        return {"stack": list(current.stack), "log": [asdict(entry) for entry in current.log]}

    async def difference(self, revision: str) -> dict[str, Any]:
        """Compare what runs with a set that was kept."""
        found = await self._sets.compare(revision)
        return {"difference": found.plain(), "lines": list(found.lines())}
