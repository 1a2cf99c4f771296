"""Condition: a CEL expression over declared inputs, of PLCs and cameras alike."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal

from pydantic import Field

from agent.core.document import Where
from agent.core.model import PointInfo
from rules.cel import CelCondition, expression_faults
from rules.language import Message, SingleOptions, Variable


class ConditionOptions(SingleOptions):
    """A CEL expression over declared inputs; true is the alarm."""

    kind: Literal["condition"] = "condition"
    inputs: dict[Variable, str] = Field(min_length=1)
    when: str

    def points(self) -> Iterator[tuple[Where, str]]:
        """Yield every declared input."""
        for name, point in self.inputs.items():
            yield ("inputs", name), point
        yield from super().points()

    def faults(self) -> Iterator[Message]:
        """Find what is wrong with the expression."""
        yield from super().faults()
        yield from expression_faults(self.when, self.inputs)

    def condition(self, points: Mapping[str, PointInfo]) -> CelCondition:  # noqa: ARG002 - it knows no units
        """Return the compiled expression."""
        return CelCondition(self.when, self.inputs)
