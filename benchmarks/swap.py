"""How late samples are while a large rule set is read, tried and swapped in."""

from __future__ import annotations

import asyncio
import gc
import random
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from agent.annunciation import Annunciator, OutputKind
from agent.app.rulesets import Active, RuleSets, RuleStore, gather
from agent.core.clock import SystemClock
from agent.core.model import Alarm, EventDraft, Operator, PointInfo, Sample
from agent.facts import FactTable
from agent.memory import calm_collector
from agent.pipeline import Pipeline
from benchmarks.plant import percentile
from benchmarks.row import Row, row
from rules.engine import Engine
from rules.loading import load_rules
from rules.rule import Rule

RULES = 2000
POLL_S = 0.02
POINTS = {f"d{n // 200}.p{n % 200}": PointInfo(f"d{n // 200}.p{n % 200}", "bar") for n in range(RULES)}
OUTPUTS = {"siren": OutputKind.SIREN, "red": OutputKind.RED, "yellow": OutputKind.YELLOW}


class _Journal:
    """Keeps nothing; the journal has a thread and a benchmark of its own."""

    rules_revision = ""

    def record(self, events: Sequence[EventDraft], alarms: Sequence[Alarm]) -> None:
        """Take events and forget them."""


def rows() -> list[Row]:
    """Return how late a poll was taken in, without and with a swap beside it."""
    calm_ms, swapping_ms, took_s = asyncio.run(_measure())
    return [
        row("swap: a sample waits without a swap, p99", percentile(calm_ms, 0.99), "ms"),
        row(f"swap: while {RULES} rules are read and swapped, p99", percentile(swapping_ms, 0.99), "ms", most=50),
        row("swap: and the longest", max(swapping_ms), "ms"),
        row("swap: from the edit to the new rules", took_s, "s"),
    ]


def _text(limit: int) -> str:
    """Return the rules; the first limit is what is edited."""
    lines = [
        f"  - {{id: r{n}, kind: level, input: {point}, name: R{n}, limits: {{H: {{at: {limit if n == 0 else 90}, "
        "priority: P2}}}"
        for n, point in enumerate(POINTS)
    ]
    return "rules:\n" + "\n".join(lines) + "\n"


def _compile(paths: Sequence[Path]) -> tuple[Rule, ...]:
    return load_rules(paths, POINTS, OUTPUTS)


async def _measure() -> tuple[list[float], list[float], float]:
    with tempfile.TemporaryDirectory() as folder:
        file, clock = Path(folder) / "rules.yaml", SystemClock()
        file.write_text(_text(90), encoding="utf-8")
        bundle, rules, journal = gather([file]), _compile([file]), _Journal()
        engine = Engine(rules)
        pipeline = Pipeline(FactTable(POINTS.values()), engine, Annunciator(OUTPUTS, {}, lambda: None), journal, clock)
        active, store = Active(bundle, rules, engine), RuleStore(Path(folder) / "state")
        sets = RuleSets(active, [file], _compile, store, pipeline, journal, clock)
        calm_collector()  # as the agent does after its start
        gc.collect()
        gc.freeze()
        calm_ms = await _poll_during(pipeline, asyncio.sleep(3.0))
        file.write_text(_text(80), encoding="utf-8")
        started_s = time.perf_counter()
        swapping_ms = await _poll_during(pipeline, sets.push(gather([file]), Operator("li", "cli", "new limit")))
        assert sets.active.rules[0].definition.limit == 80, "nothing was swapped"
        return calm_ms, swapping_ms, time.perf_counter() - started_s


async def _poll_during(pipeline: Pipeline, doing: object) -> list[float]:
    """Poll a device every POLL_S while something is done; return how late each poll was done, in ms."""
    done = asyncio.ensure_future(doing)  # type: ignore[call-overload]
    noise, late_ms, clock = random.Random(1), [], SystemClock()
    devices = [list(POINTS)[at : at + 200] for at in range(0, RULES, 200)]
    due_s = time.perf_counter()
    while not done.done():
        due_s = max(due_s + POLL_S, time.perf_counter())
        await asyncio.sleep(due_s - time.perf_counter())
        device = noise.choice(devices)
        pipeline.ingest([Sample.good(point, noise.uniform(0, 50), clock.now()) for point in device])
        late_ms.append((time.perf_counter() - due_s) * 1000)
    await done
    return late_ms
