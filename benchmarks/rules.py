"""How many decisions a second the rules take on one core, and what a large plant costs."""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Iterator, Sequence

from agent.annunciation import Annunciator, OutputKind
from agent.core.clock import ManualClock
from agent.core.model import Alarm, EventDraft, Operator, PointInfo, Sample
from agent.facts import FactTable
from agent.pipeline import Pipeline
from benchmarks.plant import percentile
from benchmarks.row import Row, row
from rules.engine import Engine
from rules.kinds.condition import ConditionOptions
from rules.kinds.level import LevelOptions
from rules.rule import Rule

POINTS = {f"p.{n}": PointInfo(f"p.{n}", "bar", stale_after_s=60.0) for n in range(200)}


def rows() -> list[Row]:
    """Return evaluations a second for plain limits and for CEL, and CPU and delay of a large plant."""
    levels = [rule for point in POINTS for rule in _level(point).compile(POINTS)]
    cel = [rule for point in POINTS for rule in _cel(point).compile(POINTS)]
    share, delays_ms = _large_plant(100)
    return [
        row("rules: limit evaluations per second", _rate(levels, 2_000_000), "1/s", least=1_000_000),
        row("rules: CEL evaluations per second", _rate(cel, 200_000), "1/s", least=80_000),
        row("rules: 10,000 points, 2,000 rules at 1 s, CPU", share * 100, "% of a core", most=15),
        row("rules: and from ingest to wanted output, p99", percentile(delays_ms, 0.99), "ms", most=2),
    ]


def _level(point: str, at: float = 10.0) -> LevelOptions:
    limits = {
        "H": {"at": at, "priority": "P3"},
        "HH": {"at": at + 10, "priority": "P1", "on_delay": 0.0, "off_delay": 0.0},
    }
    return LevelOptions.model_validate({"id": point, "name": point, "input": point, "limits": limits})


def _cel(point: str, other: str = "p.0") -> ConditionOptions:
    inputs = {"a": point, "b": other}
    fields = {"id": f"{point}.cel", "name": point, "inputs": inputs, "when": "a > 10.0 && b > 10.0", "priority": "P2"}
    return ConditionOptions.model_validate(fields)


def _rate(rules: list[Rule], count: int) -> float:
    """Change every point in turn, from value to value below the limits: what a healthy plant does all day."""
    engine, clock, facts = Engine(rules), ManualClock(), FactTable(POINTS.values())
    now = clock.now()
    batches = [[Sample.good(point, step * 0.5, now) for point in POINTS] for step in range(18)]
    turns = count // len(rules)
    started_s = time.perf_counter()
    for batch in itertools.islice(itertools.cycle(batches), turns):
        engine.evaluate(facts, facts.update(batch), now)
    return turns * len(rules) / (time.perf_counter() - started_s)


class _Nothing:
    def record(self, events: Sequence[EventDraft], alarms: Sequence[Alarm]) -> None:
        """Keep nothing: the journal has a thread and a benchmark of its own."""


class _LargePlant:
    """50 devices of 200 points, each polled once a second; 800 limits and 1,200 CEL rules over two points each."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.devices = [[f"d{device}.p{n}" for n in range(200)] for device in range(50)]
        points = {id_: PointInfo(id_, "bar", stale_after_s=3.0) for device in self.devices for id_ in device}
        outputs = {"siren": OutputKind.SIREN, "red": OutputKind.RED, "yellow": OutputKind.YELLOW}
        self.ingest_s = self.wanted_s = 0.0
        self.annunciator = Annunciator(outputs, {}, self._changed)
        engine = Engine(self._rules(points))
        self.pipeline = Pipeline(FactTable(points.values()), engine, self.annunciator, _Nothing(), self.clock)
        self.busy_s = 0.0

    def poll(self, device: list[str], values: Iterator[float]) -> None:
        """Take in one poll of a device, and count what it costs."""
        now = self.clock.now()
        batch = [Sample.good(point, value, now) for point, value in zip(device, values, strict=False)]
        started_s, self.ingest_s = time.process_time(), time.perf_counter()
        self.pipeline.ingest(batch)
        self.busy_s += time.process_time() - started_s

    def sweep(self) -> None:
        """What happens once a second."""
        started_s = time.process_time()
        self.pipeline.sweep()
        self.busy_s += time.process_time() - started_s

    def _changed(self) -> None:
        self.wanted_s = time.perf_counter()

    def _rules(self, points: dict[str, PointInfo]) -> Iterator[Rule]:
        for device in self.devices:
            for point in device[:8]:
                yield from _level(point).compile(points)
            for point, other in itertools.pairwise(device[8:33]):
                yield from _cel(point, other).compile(points)


def _large_plant(seconds: int) -> tuple[float, list[float]]:
    """Return the share of a core, and of each P1 alarm how many ms it took from its poll to the wanted siren.

    Every value changes at every poll, as in no real plant; each second a value of five devices is beyond HH.
    """
    plant, noise = _LargePlant(), random.Random(1)
    delays_ms = []
    for second in range(seconds):
        for number, device in enumerate(plant.devices):
            plant.clock.advance(1 / len(plant.devices))
            values = [noise.uniform(0, 9) for _ in device]
            if (number - second) % 10:
                plant.poll(device, iter(values))
                continue
            values[second % 8] = 25.0
            plant.poll(device, iter(values))
            assert plant.wanted_s > plant.ingest_s, "the alarm was not heard"
            delays_ms.append((plant.wanted_s - plant.ingest_s) * 1000)
            plant.pipeline.acknowledge(f"{device[second % 8]}.HH", Operator("li", "hmi", "seen"))
            plant.poll(device, itertools.repeat(0.5))
        plant.sweep()
    return plant.busy_s / seconds, delays_ms
