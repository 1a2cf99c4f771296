"""Drives one condition as the engine does, over points that a test sets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agent.core.clock import ManualClock
from agent.core.model import Instant, PointInfo, Quality, Sample, Value
from rules.condition import Condition, Verdict
from rules.kinds import KINDS
from rules.language import RuleOptions


def options(**fields: Any) -> RuleOptions:
    """Return a rule's options, read as from a file."""
    kind = KINDS[fields["kind"]]
    return kind.model_validate({"id": "a", "name": "A", "priority": "P2", **fields}, context={"from_file": True})


class Bench:
    """One condition with its memory; ``held`` follows its verdicts as the engine has it."""

    def __init__(self, stale_after_s: float | None = None, unit: str = "u", **fields: Any) -> None:
        self.clock = ManualClock()
        read = options(**fields)
        self.points = {point: PointInfo(point, unit, stale_after_s=stale_after_s) for _, point in read.points()}
        self.rule = next(iter(read.compile(self.points)))
        self.condition: Condition = self.rule.condition
        self.memory: Any = self.condition.remember()
        self.held = False
        self.samples: dict[str, Sample] = {}

    @property
    def now(self) -> Instant:
        return self.clock.now()

    def get(self, point: str, now_s: float) -> Sample | None:
        """Be the facts."""
        return self.samples.get(point)

    def set(self, values: Mapping[str, Value], quality: Quality = Quality.GOOD) -> None:
        """Let samples come now; None is a lost point."""
        now = self.now
        for point, value in values.items():
            found = quality if value is not None else Quality.BAD
            self.samples[point] = Sample(point, value, found, now.utc, now.mono_s)

    def judge(self) -> Verdict:
        verdict = self.condition.judge(self, self.memory, self.held, self.now)
        if verdict.exceeded is not None:
            self.held = verdict.exceeded
        return verdict

    def after(self, seconds: float, quality: Quality = Quality.GOOD, **values: Value) -> bool | None:
        """Let time pass with a look each second, set the points ``a``, ``b`` …, and return whether it is exceeded."""
        for _ in range(int(seconds)):
            self.clock.advance(1.0)
            self.judge()
        self.clock.advance(seconds - int(seconds))
        self.set(values, quality)
        return self.judge().exceeded

    def words(self) -> str:
        """Return what it explains now."""
        return "\n".join(self.condition.explain(self, self.memory, self.now))

    def restart(self, same_boot: bool = True) -> None:
        """Save and load, as a restart of the agent does; on another boot the monotonic clock begins anew."""
        import json

        saved = json.loads(json.dumps(self.memory.save()))
        self.memory = self.condition.remember()
        self.memory.load(saved, same_boot)
        if not same_boot:
            self.clock = ManualClock(5.0, self.now.utc)
            self.samples.clear()
