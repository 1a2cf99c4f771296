"""Discrete: a state, a word or some bits of a status word are not what they are in normal operation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field

from agent.core.document import Where
from agent.core.model import Instant, PointInfo, Value
from agent.core.ports import Facts
from rules.condition import UNKNOWN, Condition, Verdict, firm
from rules.language import Message, SingleOptions
from rules.values import States, in_words, is_one_of, whole

Bit = Annotated[int, Field(ge=0, le=63)]


@dataclass(frozen=True, slots=True)
class DiscreteCondition(Condition):
    """One of ``alarm_at``, ``normal_at`` and ``bits`` is given; a value that cannot be compared is unknown."""

    point: str
    alarm_at: tuple[Any, ...]
    normal_at: tuple[Any, ...]
    bits: tuple[int, ...]

    @property
    def inputs(self) -> tuple[str, ...]:
        """The one point."""
        return (self.point,)

    def judge(self, facts: Facts, memory: Any, held: bool, now: Instant) -> Verdict:  # noqa: ARG002
        """Exceeded while the value is off-normal."""
        sample = facts.get(self.point, now.mono_s)
        value = sample.value if sample is not None else None
        off_normal = self._is_off_normal(value)
        return UNKNOWN if off_normal is None else firm(off_normal, value, sample)

    def describe(self) -> str:
        """Return ``pump.state is FAULT or LOCAL``."""
        if self.bits:
            return f"{self.point} has bit {in_words(self.bits)} set"
        return f"{self.point} is " + (in_words(self.alarm_at) or f"not {in_words(self.normal_at)}")

    def explain(self, facts: Facts, memory: Any, now: Instant) -> Iterator[str]:
        """Add which bits are set, or that the value cannot be compared."""
        yield from Condition.explain(self, facts, memory, now)
        sample = facts.get(self.point, now.mono_s)
        value = sample.value if sample is not None else None
        if value is not None and self._is_off_normal(value) is None:
            yield f"{value!r} cannot be compared with what the rule names"
        elif value is not None and self.bits:
            found = [bit for bit in self.bits if (whole(value) or 0) >> bit & 1]
            yield f"set: bit {', '.join(map(str, found))}" if found else "none of the bits is set"

    def _is_off_normal(self, value: Value) -> bool | None:
        if self.bits:
            word = whole(value)
            return None if word is None else any(word >> bit & 1 for bit in self.bits)
        if self.alarm_at:
            return is_one_of(value, self.alarm_at)
        normal = is_one_of(value, self.normal_at)
        return None if normal is None else not normal


class DiscreteOptions(SingleOptions):
    """States, words or bits that are off-normal; exactly one of the three ways to say so."""

    kind: Literal["discrete"] = "discrete"
    input: str
    alarm_at: States | None = Field(default=None, description="the values that are the alarm")
    normal_at: States | None = Field(default=None, description="the values that are normal; any other is the alarm")
    bits: tuple[Bit, ...] = Field(default=(), description="numbers of the bits, 0 the lowest; one of them set is it")

    def points(self) -> Iterator[tuple[Where, str]]:
        """Yield the one input."""
        yield ("input",), self.input
        yield from super().points()

    def faults(self) -> Iterator[Message]:
        """Find a rule that says it in no way, or in several."""
        yield from super().faults()
        given = [name for name in ("alarm_at", "normal_at", "bits") if getattr(self, name)]
        if len(given) != 1:
            what = f"{' and '.join(given)} are given" if given else "it is not said what the alarm is"
            yield ((given or ["id"])[-1],), f"{what}; give one of alarm_at, normal_at, bits"

    def condition(self, points: Mapping[str, PointInfo]) -> DiscreteCondition:  # noqa: ARG002 - it knows no units
        """Return the compiled condition."""
        return DiscreteCondition(self.input, self.alarm_at or (), self.normal_at or (), self.bits)
