"""Discrepancy: what was commanded and what is seen do not agree, once there was time to get there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import Field

from agent.core.document import Where
from agent.core.durations import Duration, format_duration
from agent.core.model import Instant, PointInfo, Sample, Value
from agent.core.ports import Facts
from rules.condition import UNKNOWN, Condition, Verdict, careful, firm, number
from rules.language import Message, SingleOptions
from rules.values import StateKey, States, in_words, is_one_of

_MOST_TRAVELS = 2
"""A command that goes to and fro buys that many times the travel at most."""


@dataclass(slots=True)
class Course:
    """The last known command, when it came (None: before anybody looked), and since when they disagree."""

    command: Value = None
    changed_s: float | None = None
    apart_s: float | None = None

    def save(self) -> dict[str, Any]:
        """Return it as JSON data."""
        return {"command": self.command, "changed_s": self.changed_s, "apart_s": self.apart_s}

    @careful
    def load(self, saved: Any, same_boot: bool) -> None:
        """Take it up. On another boot the command stays, and nobody knows when it came."""
        if not isinstance(saved, dict):
            raise ValueError("a discrepancy remembers a mapping")
        self.command = saved.get("command")
        self.changed_s, self.apart_s = (saved.get("changed_s"), saved.get("apart_s")) if same_boot else (None, None)


@dataclass(frozen=True, slots=True)
class DiscrepancyCondition(Condition):
    """``agree`` has for each command what the feedback must say; empty: the same, within ``tolerance``."""

    timed = True

    command: str
    feedback: str
    travel_s: float
    tolerance: float = 0.0
    agree: Mapping[Any, tuple[Any, ...]] = field(default_factory=dict)

    @property
    def inputs(self) -> tuple[str, ...]:
        """The command and the feedback."""
        return (self.command, self.feedback)

    def remember(self) -> Course:
        """Return a memory that has seen nothing."""
        return Course()

    def judge(self, facts: Facts, memory: Course, held: bool, now: Instant) -> Verdict:
        """Exceeded when the time to get there is over; once exceeded, until they agree."""
        command, feedback = facts.get(self.command, now.mono_s), facts.get(self.feedback, now.mono_s)
        self._follow(memory, command, now.mono_s)
        agrees = self._agrees(command, feedback)
        value = feedback.value if feedback is not None else None
        if agrees is None:
            return UNKNOWN
        if agrees:
            memory.apart_s = None
            if memory.changed_s is None:
                memory.changed_s = now.mono_s - self.travel_s  # whenever it came, it has been obeyed
            return firm(False, value, command, feedback)
        if memory.apart_s is None:
            memory.apart_s = now.mono_s
        late = self._is_late(memory, now.mono_s)
        if held or late:
            return firm(True, value, command, feedback)
        return UNKNOWN if memory.changed_s is None else firm(False, value, command, feedback)

    def describe(self) -> str:
        """Return ``valve.open_limit does not follow valve.open within 8s``."""
        agree = "; ".join(f"{command}: {in_words(states)}" for command, states in self.agree.items())
        how = f" ({agree})" if agree else f" (within {self.tolerance:g})" if self.tolerance else ""
        return f"{self.feedback} does not follow {self.command} within {format_duration(self.travel_s)}{how}"

    def explain(self, facts: Facts, memory: Course, now: Instant) -> Iterator[str]:
        """Add whether they agree, and how long there is still time."""
        yield from Condition.explain(self, facts, memory, now)
        agrees = self._agrees(*(facts.get(point, now.mono_s) for point in self.inputs))
        if agrees is None:
            yield "nobody can tell whether they agree"
        elif agrees:
            yield "they agree"
        elif memory.apart_s is None or self._is_late(memory, now.mono_s):
            yield "they do not agree"
        else:
            yield f"they do not agree; there is time for another {self._due_s(memory) - now.mono_s:.1f} s"

    def _follow(self, memory: Course, sample: Sample | None, now_s: float) -> None:
        """Note a change of the command; the first that is seen is none, for nobody knows when it came."""
        value = sample.value if sample is not None else None
        if value is None or value == memory.command:
            return
        memory.changed_s = None if memory.command is None else now_s
        memory.command = value

    def _due_s(self, memory: Course) -> float:
        apart_s = memory.apart_s or 0.0
        if memory.changed_s is None:
            return apart_s + self.travel_s
        return min(memory.changed_s + self.travel_s, apart_s + _MOST_TRAVELS * self.travel_s)

    def _is_late(self, memory: Course, now_s: float) -> bool:
        return now_s >= self._due_s(memory)

    def _agrees(self, command: Sample | None, feedback: Sample | None) -> bool | None:
        if command is None or feedback is None or command.value is None or feedback.value is None:
            return None
        if self.agree:
            states = self.agree.get(command.value)
            return None if states is None else is_one_of(feedback.value, states)
        wanted, seen = number(command), number(feedback)
        if wanted is None or seen is None:
            return is_one_of(feedback.value, (command.value,))
        return abs(wanted - seen) <= self.tolerance


class DiscrepancyOptions(SingleOptions):
    """Command against feedback."""

    kind: Literal["discrepancy"] = "discrepancy"
    command: str
    feedback: str
    travel: Duration = Field(gt=0, description="time to get there after a change of the command")
    tolerance: float = Field(default=0.0, ge=0, description="of numbers, in their unit")
    agree: dict[StateKey, States] = Field(
        default_factory=dict, description="what the feedback must say for each command, if not the same"
    )
    on_delay: Duration = 1.0

    def points(self) -> Iterator[tuple[Where, str]]:
        """Yield both."""
        yield ("command",), self.command
        yield ("feedback",), self.feedback
        yield from super().points()

    def faults(self) -> Iterator[Message]:
        """Find a rule that could never be exceeded."""
        yield from super().faults()
        if self.command == self.feedback:
            yield ("feedback",), "a command always agrees with itself; name the point that says what really happened"
        if self.agree and self.tolerance:
            yield ("tolerance",), "with 'agree' values are compared exactly; leave one of the two out"

    def condition(self, points: Mapping[str, PointInfo]) -> DiscrepancyCondition:  # noqa: ARG002 - it knows no units
        """Return the compiled condition."""
        return DiscrepancyCondition(self.command, self.feedback, self.travel, self.tolerance, dict(self.agree))
