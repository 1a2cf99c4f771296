"""Condition: a CEL expression over declared inputs, of PLCs and cameras alike."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from agent.core.model import PointInfo
from rules.cel import CelCondition
from rules.language import ExpressionOptions


class ConditionOptions(ExpressionOptions):
    """A CEL expression over declared inputs; true is the alarm."""

    kind: Literal["condition"] = "condition"

    def condition(self, points: Mapping[str, PointInfo]) -> CelCondition:  # noqa: ARG002 - it knows no units
        """Return the compiled expression."""
        return CelCondition(self.when, self.inputs)
