"""Voting: M of N inputs must say so, such as two of three gas detectors. What is unknown votes neither way."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import Field

from agent.core.document import Where
from agent.core.durations import Duration
from agent.core.model import Instant, PointInfo, Sample
from agent.core.ports import Facts
from rules.condition import Condition, Verdict, careful, is_good, number
from rules.language import Message, SingleOptions
from rules.values import States, in_words, is_one_of


@dataclass(slots=True)
class Votes:
    """How each input last voted, for the deadband."""

    raised: list[bool]

    def save(self) -> list[bool]:
        """Return it as JSON data."""
        return self.raised

    @careful
    def load(self, saved: Any, same_boot: bool) -> None:  # noqa: ARG002 - it has no times
        """Take it up."""
        if not isinstance(saved, list) or len(saved) != len(self.raised):
            raise ValueError(f"a vote of {len(self.raised)} remembers as many")
        self.raised = [bool(each) for each in saved]


@dataclass(frozen=True, slots=True)
class VotingCondition(Condition):
    """True once ``needed`` inputs are known to vote for it; False once the unknown ones cannot bring it about."""

    points: tuple[str, ...]
    needed: int
    sign: int
    at: float
    deadband: float
    states: tuple[Any, ...] = ()
    unit: str = ""

    @property
    def inputs(self) -> tuple[str, ...]:
        """The voters."""
        return self.points

    def remember(self) -> Votes:
        """Return a memory in which nobody has voted for it."""
        return Votes([False] * len(self.points))

    def judge(self, facts: Facts, memory: Votes, held: bool, now: Instant) -> Verdict:  # noqa: ARG002 - each has its own
        """Count by Kleene's logic."""
        samples = [facts.get(point, now.mono_s) for point in self.points]
        votes = self._votes(samples, memory)
        memory.raised = [before if vote is None else vote for vote, before in zip(votes, memory.raised, strict=True)]
        for_it, unknown = votes.count(True), votes.count(None)
        degraded = not all(map(is_good, samples))
        if for_it >= self.needed:
            return Verdict(True, for_it, degraded)
        return Verdict(False if for_it + unknown < self.needed else None, for_it, degraded)

    def describe(self) -> str:
        """Return ``2 of 3 (gas.a, gas.b, gas.c) at or above 20 %LEL (deadband 2)``."""
        if self.states:
            what = f"are {in_words(self.states)}"
        else:
            deadband = f" (deadband {self.deadband:g})" if self.deadband else ""
            unit = f" {self.unit}" if self.unit else ""
            what = f"at or {'above' if self.sign > 0 else 'below'} {self.at:g}{unit}{deadband}"
        return f"{self.needed} of {len(self.points)} ({', '.join(self.points)}) {what}"

    def explain(self, facts: Facts, memory: Votes, now: Instant) -> Iterator[str]:
        """Add how they vote."""
        yield from Condition.explain(self, facts, memory, now)
        votes = self._votes([facts.get(point, now.mono_s) for point in self.points], memory)
        found = {"for it": votes.count(True), "against": votes.count(False), "unknown": votes.count(None)}
        yield ", ".join(f"{count} {how}" for how, count in found.items()) + f"; {self.needed} are needed"

    def _votes(self, samples: Sequence[Sample | None], memory: Votes) -> list[bool | None]:
        return [self._vote(sample, raised) for sample, raised in zip(samples, memory.raised, strict=True)]

    def _vote(self, sample: Sample | None, raised: bool) -> bool | None:
        """Return one vote; an UNCERTAIN value may be one for it, and is none against it."""
        if self.states:
            vote = is_one_of(sample.value, self.states) if sample is not None else None
        else:
            value = number(sample)
            limit = self.at - self.sign * self.deadband if raised else self.at
            vote = None if value is None else (value - limit) * self.sign >= 0
        return None if vote is False and not is_good(sample) else vote


class VotingOptions(SingleOptions):
    """M of N inputs; exactly one of ``above``, ``below`` and ``is_one_of`` says what a vote for it is."""

    kind: Literal["voting"] = "voting"
    inputs: tuple[str, ...] = Field(min_length=2, max_length=100)
    needed: int = Field(ge=1)
    above: float | None = Field(default=None, description="at or above")
    below: float | None = Field(default=None, description="at or below")
    is_one_of: States | None = None
    deadband: float = Field(default=0.0, ge=0)
    on_delay: Duration = 0.0
    off_delay: Duration = 10.0

    def points(self) -> Iterator[tuple[Where, str]]:
        """Yield every input."""
        for index, point in enumerate(self.inputs):
            yield ("inputs", index), point
        yield from super().points()

    def faults(self) -> Iterator[Message]:
        """Find what can never come about, and a voter with two votes."""
        yield from super().faults()
        if self.needed > len(self.inputs):
            yield ("needed",), f"{len(self.inputs)} inputs never give {self.needed} votes"
        for index, point in enumerate(self.inputs):
            if point in self.inputs[:index]:
                yield ("inputs", index), f"{point!r} has a vote already; name each input once"
        given = [name for name in ("above", "below", "is_one_of") if getattr(self, name) is not None]
        if len(given) != 1:
            what = f"{' and '.join(given)} are given" if given else "it is not said what a vote is"
            yield ((given or ["id"])[-1],), f"{what}; give one of above, below, is_one_of"
        if self.is_one_of and self.deadband:
            yield ("deadband",), "states have no deadband; leave it out"

    def measure(self, points: Mapping[str, PointInfo]) -> dict[str, Any]:  # noqa: ARG002 - votes have no unit
        """Return the votes that are needed."""
        return {"limit": float(self.needed)}

    def condition(self, points: Mapping[str, PointInfo]) -> VotingCondition:
        """Return the compiled condition."""
        at, sign = (self.below, -1) if self.below is not None else (self.above or 0.0, 1)
        unit = points[self.inputs[0]].unit
        return VotingCondition(self.inputs, self.needed, sign, at, self.deadband, self.is_one_of or (), unit)
