"""A pipeline with real rules from real files, a real store, and no clock but the test's."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from agent.annunciation import Annunciator, OutputKind
from agent.app.rulesets import Active, Bundle, RuleSets, RuleStore, gather
from agent.core.clock import ManualClock
from agent.core.errors import ConfigError
from agent.core.model import Alarm, Instant, Level, Operator, PointInfo, Sample, Value
from agent.facts import FactTable
from agent.pipeline import Pipeline
from rules.engine import Engine
from rules.loading import load_rules
from rules.rule import Rule
from tests.fakes import FakeRecorder

LI = Operator("li", "cli", "because")
POINTS = {id_: PointInfo(id_, "%LEL", "room") for id_ in ("room.gas", "room.heat")}
OUTPUTS = {"siren": OutputKind.SIREN, "red": OutputKind.RED, "yellow": OutputKind.YELLOW}


def gas(id_: str = "gas", at: float = 20, priority: str = "P2", more: str = "") -> str:
    """Return one rule as text: a limit without an on-delay unless ``more`` says otherwise."""
    delay = "" if "on_delay" in more else "on_delay: 0s, "
    limits = f"limits: {{H: {{at: {at}, priority: {priority}}}}}"
    return f"  - {{id: {id_}, kind: level, input: room.gas, name: Gas, {limits}, {delay}off_delay: 0s, {more}}}\n"


def text(*rules: str) -> str:
    return "rules:\n" + "".join(rules)


def compile_rules(paths: Sequence[Path]) -> tuple[Rule, ...]:
    return load_rules(paths, POINTS, OUTPUTS)


class Rig:
    """``restart`` is what a new process does: it knows what the store, the files and the saved alarms say."""

    def __init__(self, folder: Path, *rules: str) -> None:
        self.folder, self.file = folder, folder / "rules.yaml"
        self.clock, self.recorder = ManualClock(), FakeRecorder()
        self.saved: dict[str, Alarm] = {}
        if rules:
            self.write(*rules)
        self.start()

    def start(self) -> None:
        store = RuleStore(self.folder / "state")
        bundle, rules = self._last_good(store)
        engine = Engine(rules)
        engine.restore(self.saved.values(), True, self.clock.now())
        annunciator = Annunciator(OUTPUTS, {}, lambda: None)
        self.pipeline = Pipeline(FactTable(POINTS.values()), engine, annunciator, self.recorder, self.clock)
        self.pipeline.refresh(self.clock.now())
        active = Active(bundle, rules, engine)
        self.recorder.rules_revision = bundle.revision
        self.sets = RuleSets(active, [self.file], compile_rules, store, self.pipeline, self.recorder, self.clock)

    def _last_good(self, store: RuleStore) -> tuple[Bundle, tuple[Rule, ...]]:
        for bundle in store.last_good():
            try:
                return bundle, compile_rules(store.paths(bundle))
            except ConfigError:
                continue
        return gather([self.file]), compile_rules([self.file])

    async def restart(self) -> None:
        self.saved.update((alarm.id, alarm) for alarm in self.recorder.alarms)
        self.start()
        await self.look()

    def write(self, *rules: str) -> None:
        self.file.write_text(text(*rules), encoding="utf-8")

    async def look(self) -> None:
        """Let the keeper look until what the files say has come to rest."""
        for _ in range(3):
            await self.sets.look()

    async def edit(self, *rules: str) -> None:
        self.write(*rules)
        await self.look()

    async def push(self, *rules: str, force: bool = False, **files: str) -> Any:
        bundle = Bundle("", ("rules.yaml",), {"rules.yaml": text(*rules).encode()})
        return await self.sets.push(bundle, LI, force)

    def gas(self, value: Value) -> None:
        self.pipeline.ingest([Sample.good("room.gas", value, self.clock.now())])

    def lost(self) -> None:
        self.pipeline.ingest([Sample.bad("room.gas", "lost", self.clock.now())])

    def wait(self, seconds: float) -> Instant:
        """Let time pass as the agent does."""
        until = self.clock.now().mono_s + seconds
        while (due_s := self.pipeline.next_due_s()) is not None and due_s <= until:
            self.clock.advance(max(due_s - self.clock.now().mono_s, 0.0))
            self.pipeline.timers()
        now = self.clock.advance(until - self.clock.now().mono_s)
        self.pipeline.sweep()
        return now

    def alarm(self, id_: str = "gas.H") -> Alarm:
        return self.pipeline.engine.alarms[id_]

    @property
    def siren(self) -> str:
        """Whether it sounds at all; how, is tested elsewhere."""
        return "off" if self.pipeline.annunciator.wanted["siren"] is Level.OFF else "on"

    def told(self, kind: str = "alarm.transition") -> list[Any]:
        return [event.data for event in self.recorder.events if event.kind == kind]

    def actions(self) -> list[tuple[str, object]]:
        return [(event.subject, event.data["action"]) for event in self.recorder.events if event.kind[:5] == "alarm"]
