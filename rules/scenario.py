"""Rule tests in YAML: samples over time, and the alarm states that must follow. No clock but the file's own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from pydantic import Field

from agent.core.clock import ManualClock
from agent.core.document import Document
from agent.core.durations import Duration
from agent.core.errors import ConfigError
from agent.core.model import Instant, Operator, PointInfo, Quality, Sample, Value
from agent.core.options import Options
from rules.engine import Engine
from rules.loading import load_rules

_OPERATOR = Operator("scenario", "test")
SWEEP_S = 1.0


class Step(Options):
    """At ``at``: what is set (null: lost), who acknowledges, and the states that must hold afterwards."""

    at: Duration
    set: dict[str, Value] = Field(default_factory=dict)
    acknowledge: tuple[str, ...] = ()
    expect: dict[str, str] = Field(default_factory=dict)


class Scenario(Options):
    """One story."""

    name: str
    steps: tuple[Step, ...]


class ScenarioFile(Options):
    """``rules``: the rule file next to this one; ``units``: the points and their units."""

    rules: str
    points: dict[str, str]
    scenarios: tuple[Scenario, ...]


def run_file(path: Path) -> Iterator[tuple[str, list[str]]]:
    """Yield each scenario's name and what did not come true. Raises ConfigError for a file with faults."""
    document = Document.load(path)
    file, faults = document.read(ScenarioFile)
    if file is None:
        raise ConfigError(faults)
    points = {id_: PointInfo(id_, unit) for id_, unit in file.points.items()}
    rules = load_rules([path.parent / file.rules], points, ("siren",))
    for scenario in file.scenarios:
        yield scenario.name, run(scenario, Engine(rules), tuple(points))


def run(scenario: Scenario, engine: Engine, points: Sequence[str]) -> list[str]:
    """Play one scenario; return a line for each expectation that failed."""
    clock, facts, failures = ManualClock(), _Facts(points), []
    start_s = clock.now().mono_s
    for step in scenario.steps:
        _run_timers(engine, facts, clock, start_s + step.at)
        now = clock.now()
        engine.evaluate(facts, facts.set(step.set, now), now)
        for alarm in step.acknowledge:
            engine.acknowledge(alarm, _OPERATOR, now)
        for alarm, state in step.expect.items():
            found = engine.alarms[alarm].state
            if found != state:
                failures.append(f"at {step.at:g}s: {alarm} is {found}, expected {state}")
    return failures


def _run_timers(engine: Engine, facts: _Facts, clock: ManualClock, until_s: float) -> None:
    """Let time pass as the agent does: every timer when it is due, and a sweep each second."""
    sweep_s = clock.now().mono_s + SWEEP_S
    while (next_s := min(engine.next_due_s() or sweep_s, sweep_s)) <= until_s:
        clock.advance(max(next_s - clock.now().mono_s, 0.0))
        if next_s >= sweep_s:
            sweep_s += SWEEP_S
            engine.sweep(facts, (), clock.now())
        else:
            engine.evaluate(facts, (), clock.now())
    clock.advance(until_s - clock.now().mono_s)


class _Facts:
    def __init__(self, points: Sequence[str]) -> None:
        self._samples: dict[str, Sample | None] = dict.fromkeys(points)

    def set(self, values: dict[str, Value], now: Instant) -> list[Sample]:
        found = []
        for point, value in values.items():
            quality = Quality.GOOD if value is not None else Quality.BAD
            sample = self._samples[point] = Sample(point, value, quality, now.utc, now.mono_s)
            found.append(sample)
        return found

    def get(self, point: str, now_s: float) -> Sample | None:  # noqa: ARG002 - nothing goes stale here
        return self._samples[point]
