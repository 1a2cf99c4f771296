"""What a rule kind is to the engine: facts in, True, False or None (unknown) out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import wraps
from typing import Any, NamedTuple, Protocol

from agent.core.model import Instant, Quality, Sample, Value
from agent.core.ports import Facts


class Verdict(NamedTuple):
    """``exceeded`` is None when it cannot be known; ``degraded`` when an input is not GOOD."""

    exceeded: bool | None
    value: Value
    degraded: bool


UNKNOWN = Verdict(None, None, True)


class Memory(Protocol):
    """What a condition keeps of the past; it changes it in ``judge``, and nothing else does."""

    def save(self) -> Any:
        """Return it as plain JSON data."""

    def load(self, saved: Any, same_boot: bool) -> None:
        """Take up what ``save`` returned; without ``same_boot`` its monotonic times mean nothing. Raises ValueError."""


Load = Callable[[Any, Any, bool], None]


def careful(load: Load) -> Load:
    """Let a memory's ``load`` raise ValueError for whatever is wrong with the data; the memory is then of no use."""

    @wraps(load)
    def guarded(memory: Any, saved: Any, same_boot: bool) -> None:
        try:
            load(memory, saved, same_boot)
        except (AttributeError, LookupError, OverflowError, TypeError) as error:
            raise ValueError(f"not what a {type(memory).__name__} saves: {error}") from error

    return guarded


class Condition:
    """What a rule kind must be able to do. Pure in (facts, memory, held, now): no clock, no I/O.

    ``timed`` tells that its truth may change without a sample: it is then judged about once a second
    besides. A value holds until the next sample of its point comes. ``counts`` tells that every sample
    of its inputs matters, and not only those with another value than before.
    """

    timed = False
    counts = False

    @property
    def inputs(self) -> tuple[str, ...]:
        """Points that the condition reads."""
        raise NotImplementedError

    def remember(self) -> Memory | None:
        """Return a new memory, None for a condition that needs none."""
        return None

    def judge(self, facts: Facts, memory: Any, held: bool, now: Instant) -> Verdict:
        """Judge the facts; ``held`` tells whether it was exceeded before (for the deadband).

        What cannot be known is unknown, never False; an UNCERTAIN input may make it True, not False.
        """
        raise NotImplementedError

    def describe(self) -> str:
        """Say in words when it is exceeded; two conditions with the same words and inputs are the same."""
        raise NotImplementedError

    def explain(self, facts: Facts, memory: Any, now: Instant) -> Iterator[str]:  # noqa: ARG002 - memory is for others
        """Yield in words what it sees now, one line for each input; kinds add what they make of it."""
        for point in self.inputs:
            yield f"{point} {words(facts.get(point, now.mono_s), now)}"


def words(sample: Sample | None, now: Instant) -> str:
    """Return ``= 23.5, good, 0.3 s old`` or why there is no value."""
    if sample is None:
        return "was never read"
    age_s = max(now.mono_s - sample.received_s, 0.0)
    if sample.value is None:
        return f"is unknown ({sample.reason or 'bad'}), as told {age_s:.1f} s ago"
    value = f"{sample.value:.6g}" if isinstance(sample.value, float) else str(sample.value)
    reason = f" ({sample.reason})" if sample.reason else ""
    return f"= {value}, {sample.quality}{reason}, {age_s:.1f} s old"


def number(sample: Sample | None) -> float | None:
    """Return the sample's value if it is a number, else None."""
    value = sample.value if sample is not None else None
    return value if isinstance(value, int | float) and value == value else None


def is_good(sample: Sample | None) -> bool:
    """Tell whether the sample may also clear an alarm."""
    return sample is not None and sample.quality is Quality.GOOD


def firm(exceeded: bool, value: Value, *samples: Sample | None) -> Verdict:
    """Return the verdict on these inputs: an UNCERTAIN one may raise an alarm, and clears none."""
    return sure(exceeded, value, all(is_good(sample) for sample in samples))


def sure(exceeded: bool, value: Value, good: bool) -> Verdict:
    """Return the verdict on what is GOOD, or on what is not: that may raise an alarm, and clears none."""
    return Verdict(exceeded, value, False) if good else Verdict(True if exceeded else None, value, True)
