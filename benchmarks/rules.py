"""How many decisions a second the rules take on one core."""

from __future__ import annotations

import time

from agent.core.clock import ManualClock
from agent.core.model import PointInfo, Sample
from agent.facts import FactTable
from benchmarks.row import Row, row
from rules.engine import Engine
from rules.kinds.condition import ConditionOptions
from rules.kinds.level import LevelOptions
from rules.rule import Rule

POINTS = {f"p.{n}": PointInfo(f"p.{n}", "bar", stale_after_s=60.0) for n in range(200)}


def rows() -> list[Row]:
    """Return evaluations a second for plain limits and for CEL."""
    levels = [rule for point in POINTS for rule in _level(point).compile(POINTS)]
    cel = [rule for point in POINTS for rule in _cel(point).compile(POINTS)]
    return [
        row("rules: limit evaluations per second", _rate(levels, 500_000), "1/s", least=200_000),
        row("rules: CEL evaluations per second", _rate(cel, 100_000), "1/s", least=40_000),
    ]


def _level(point: str) -> LevelOptions:
    limits = {"H": {"at": 10, "priority": "P3"}, "HH": {"at": 20, "priority": "P1"}}
    return LevelOptions.model_validate({"id": point, "name": point, "input": point, "limits": limits})


def _cel(point: str) -> ConditionOptions:
    inputs = {"a": point, "b": "p.0"}
    fields = {"id": point, "name": point, "inputs": inputs, "when": "a > 10.0 && b > 10.0", "priority": "P2"}
    return ConditionOptions.model_validate(fields)


def _rate(rules: list[Rule], count: int) -> float:
    """Change every point in turn, from value to value below the limits: what a healthy plant does all day."""
    engine, clock, facts = Engine(rules), ManualClock(), FactTable(POINTS.values())
    now = clock.now()
    done, value = 0, 0.0
    started_s = time.perf_counter()
    while done < count:
        value = (value + 0.5) % 9.0
        changed = facts.update([Sample.good(point, value, now) for point in POINTS])
        engine.evaluate(facts, changed, now)
        done += len(rules)
    return done / (time.perf_counter() - started_s)
