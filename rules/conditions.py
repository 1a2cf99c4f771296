"""Conditions: facts in, True, False or None (unknown) out. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from agent.core.model import Quality, Sample, Value
from agent.core.ports import Facts
from rules.cel_engine import compile_expression


class Verdict(NamedTuple):
    """``exceeded`` is None when it cannot be known; ``degraded`` when an input is not GOOD."""

    exceeded: bool | None
    value: Value
    degraded: bool


UNKNOWN = Verdict(None, None, True)


class Condition(Protocol):
    """What a rule kind must be able to do."""

    @property
    def inputs(self) -> tuple[str, ...]:
        """Points that the condition reads."""

    def judge(self, facts: Facts, held: bool, now_s: float) -> Verdict:
        """Judge the facts; ``held`` tells whether it was exceeded before (for the deadband)."""

    def describe(self) -> str:
        """Say it in words."""


@dataclass(frozen=True, slots=True)
class LevelCondition:
    """One limit. ``sign`` is 1 for a high limit and -1 for a low one; ``at`` and ``deadband`` are in ``unit``."""

    point: str
    at: float
    deadband: float
    sign: int
    unit: str = ""

    @property
    def inputs(self) -> tuple[str, ...]:
        """The one point."""
        return (self.point,)

    def judge(self, facts: Facts, held: bool, now_s: float) -> Verdict:
        """Exceeded at the limit and beyond; once exceeded, until it is back by more than the deadband."""
        sample = facts.get(self.point, now_s)
        value = sample.value if sample is not None else None
        if sample is None or not isinstance(value, int | float) or value != value:
            return UNKNOWN
        limit = self.at - self.sign * self.deadband if held else self.at
        return Verdict((value - limit) * self.sign >= 0, value, sample.quality is not Quality.GOOD)

    def describe(self) -> str:
        """Return ``boiler.gas at or above 40 %LEL (deadband 2)``."""
        side = "at or above" if self.sign > 0 else "at or below"
        deadband = f" (deadband {self.deadband:g})" if self.deadband else ""
        return f"{self.point} {side} {self.at:g}{' ' + self.unit if self.unit else ''}{deadband}"


class CelCondition:
    """A CEL program over its own inputs. What is unknown is left out of its context.

    CEL treats a missing name as an error that ``||`` and ``&&`` absorb as in Kleene's logic, so that
    ``unknown || true`` is true. Every other error, and a result that is no bool, is unknown as well.
    """

    def __init__(self, when: str, inputs: Mapping[str, str]) -> None:
        """Compile. Raises ValueError with the compiler's words."""
        self.when = when
        self._points = tuple(inputs.items())
        self._program: Any = compile_expression(when)

    @property
    def inputs(self) -> tuple[str, ...]:
        """The points behind the declared names."""
        return tuple(point for _, point in self._points)

    @property
    def variables(self) -> set[str]:
        """Names that the expression uses."""
        return set(self._program.variables())

    def judge(self, facts: Facts, held: bool, now_s: float) -> Verdict:  # noqa: ARG002 - no deadband here
        """Evaluate with what is known."""
        context: dict[str, Value] = {}
        degraded = False
        for name, point in self._points:
            sample = facts.get(point, now_s)
            degraded = degraded or sample is None or sample.quality is not Quality.GOOD
            if sample is not None and _known(sample):
                context[name] = sample.value
        try:
            result = self._program.execute(context)
        except _CEL_ERRORS:
            return UNKNOWN
        return Verdict(result, result, degraded) if isinstance(result, bool) else UNKNOWN

    def describe(self) -> str:
        """Return the expression with its inputs."""
        return f"{self.when}  [{', '.join(f'{name}={point}' for name, point in self._points)}]"


_CEL_ERRORS = (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError)
"""What the engine raises: missing names, mixed types, division by zero, overflow, what it cannot convert."""


def _known(sample: Sample) -> bool:
    value = sample.value
    return value is not None and not (isinstance(value, float) and math.isnan(value))
