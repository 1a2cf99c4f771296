"""Random rule sets edited, rolled back and restarted between samples: what a swap must never do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from agent.annunciation import Annunciator
from agent.core.clock import ManualClock
from agent.core.errors import NotAllowed
from agent.core.model import Action, Alarm, AlarmState, PointInfo, Priority, Sample, TimerKind, Value
from agent.facts import FactTable
from agent.pipeline import Pipeline
from rules.engine import Engine
from rules.kinds.condition import ConditionOptions
from rules.kinds.level import LevelOptions
from rules.rule import Rule
from tests.fakes import FakeRecorder
from tests.rulesets.rig import LI, OUTPUTS
from tests.thorough import times

POINTS = {id_: PointInfo(id_) for id_ in ("p.a", "p.b", "p.off")}
IDS = ("one", "two", "three")
Spec = tuple[Any, ...]
"""Kind, point, limit, priority, delay, latch, suppressed: all that a drawn rule has."""

specs = st.tuples(
    st.sampled_from(["level", "exclusive", "condition"]),
    st.sampled_from(["p.a", "p.b"]),
    st.sampled_from([10.0, 15.0, 20.0]),
    st.sampled_from(["P1", "P2", "P3"]),
    st.sampled_from(["0s", "2s", "5s"]),
    st.booleans(),
    st.booleans(),
)
sets = st.dictionaries(st.sampled_from(IDS), specs, max_size=3)


@cache
def compiled(id_: str, spec: Spec) -> tuple[Rule, ...]:
    kind, point, at, priority, delay, latch, suppressed = spec
    base: dict[str, Any] = {"id": id_, "name": id_, "latch": latch, "on_delay": delay, "off_delay": delay}
    if suppressed:
        base["suppress"] = {"inputs": {"off": "p.off"}, "when": "off", "longest": "30min"}
    if kind == "condition":
        more = {"inputs": {"a": "p.a", "b": "p.b"}, "when": f"a > {at} || b > {at}", "priority": priority}
        return tuple(ConditionOptions.model_validate({**base, **more}).compile(POINTS))
    limits: dict[str, Any] = {"H": {"at": at, "priority": priority}}
    if kind == "exclusive":
        limits["HH"] = {"at": at + 5, "priority": "P1"}
    level = {**base, "input": point, "limits": limits, "deadband": 1.0}
    return tuple(LevelOptions.model_validate(level).compile(POINTS))


def rules_of(chosen: dict[str, Spec]) -> list[Rule]:
    return [rule for id_, spec in chosen.items() for rule in compiled(id_, spec)]


class Swapping(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.clock, self.recorder = ManualClock(), FakeRecorder()
        self.values: dict[str, Value] = {}
        self.chosen: dict[str, Spec] = {}
        self.stack: list[dict[str, Spec]] = []
        self.saved: dict[str, Alarm] = {}

    @initialize(chosen=sets)
    def start(self, chosen: dict[str, Spec]) -> None:
        self.chosen = chosen
        self._boot(Engine(rules_of(chosen)))

    @rule(point=st.sampled_from(["p.a", "p.b"]), value=st.sampled_from([5.0, 9.5, 12.0, 17.0, 30.0, None]))
    def sample(self, point: str, value: Value) -> None:
        self._ingest(point, value)

    @rule(value=st.booleans())
    def suppress(self, value: bool) -> None:
        self._ingest("p.off", value)

    @rule(seconds=st.sampled_from([0.5, 1.0, 2.0, 5.0, 30.0]))
    def wait(self, seconds: float) -> None:
        until_s = self.clock.now().mono_s + seconds
        while (due_s := self.pipeline.next_due_s()) is not None and due_s <= until_s:
            self.clock.advance(max(due_s - self.clock.now().mono_s, 0.0))
            self.pipeline.timers()
        self.clock.advance(until_s - self.clock.now().mono_s)
        self.pipeline.sweep()

    @precondition(lambda self: self.pipeline.engine.standing)
    @rule(pick=st.integers(0, 5), how=st.sampled_from(["acknowledge", "silence", "shelve"]))
    def operate(self, pick: int, how: str) -> None:
        standing = sorted(self.pipeline.engine.standing)
        id_, now = standing[pick % len(standing)], self.clock.now()
        if how == "shelve":
            try:
                self.pipeline._apply(self.pipeline.engine.shelve(id_, 20.0, LI, now), now)
            except NotAllowed:
                return
        else:
            getattr(self.pipeline, how)(id_, LI)

    @rule(chosen=sets, id_=st.sampled_from(IDS), keep=st.booleans())
    def edit(self, chosen: dict[str, Spec], id_: str, keep: bool) -> None:
        """Replace everything, or one rule alone."""
        if keep:
            others = {name: spec for name, spec in self.chosen.items() if name != id_}
            chosen = others | ({id_: chosen[id_]} if id_ in chosen else {})
        self.stack.append(self.chosen)
        self._swap(chosen)

    @precondition(lambda self: self.stack)
    @rule()
    def roll_back(self) -> None:
        self._swap(self.stack.pop())

    @rule(same_boot=st.booleans())
    def restart(self, same_boot: bool) -> None:
        before = self.pipeline.engine.alarms
        self.saved.update((alarm.id, alarm) for alarm in self.recorder.alarms)
        engine = Engine(rules_of(self.chosen))
        engine.restore(self.saved.values(), same_boot, self.clock.now())
        self._boot(engine)
        for id_, alarm in engine.alarms.items():
            old = before[id_]
            assert (alarm.active, alarm.process) == (old.active, old.process)
            assert alarm.count >= old.count, "of a rule that was away and came back, the disk may know more"
            assert not alarm.active or (alarm.occurrence, alarm.silenced) == (old.occurrence, old.silenced)
        for point, value in list(self.values.items()):
            self._ingest(point, value)

    def _swap(self, chosen: dict[str, Spec]) -> None:
        self.pipeline.timers()  # what an operator's act has left for the next look is not the swap's doing
        before, siren = self.pipeline.engine, self.pipeline.annunciator.wanted["siren"]
        old, now = before.alarms, self.clock.now()
        engine = Engine(rules_of(chosen))
        adopted = engine.adopt(before, now)  # type: ignore[arg-type]  # it is an Engine
        self._check_adopted(old, engine.alarms, adopted)
        self.pipeline.swap(engine, adopted, now)
        unchanged = {id_ for id_, spec in chosen.items() if self.chosen.get(id_) == spec}
        self.chosen = chosen
        for id_, alarm in engine.alarms.items():
            if id_ in old:
                self._check_swapped(old[id_], alarm, engine, id_.split(".")[0] in unchanged)
        sounding = [id_ for id_, alarm in old.items() if id_.split(".")[0] in unchanged and _sounds(engine, alarm)]
        assert siren == "off" or not sounding or self.pipeline.annunciator.wanted["siren"] != "off"

    def _check_adopted(self, old: Mapping[str, Alarm], new: Mapping[str, Alarm], adopted: list[Any]) -> None:
        """Nothing is raised or cleared by the swap itself but alarms whose rules are gone."""
        told = {(each.transition.alarm, each.transition.action) for each in adopted if each.transition is not None}
        gone = {id_ for id_, alarm in old.items() if id_ not in new and alarm.state is not AlarmState.NORMAL}
        assert {id_ for id_, action in told if action is Action.REMOVED} == gone
        assert {action for _, action in told} <= {Action.REMOVED, Action.UNSUPPRESSED}
        for id_, alarm in new.items():
            if id_ in old:
                before = old[id_]
                assert (alarm.active, alarm.occurrence, alarm.timer) == (before.active, before.occurrence, before.timer)
                assert alarm.exceeded == before.exceeded and alarm.superseded == before.superseded

    def _check_swapped(self, before: Alarm, after: Alarm, engine: Engine, unchanged: bool) -> None:
        slot, now = engine.slots[after.id], self.clock.now()
        if unchanged:
            never_judged = before.exceeded is None and not before.degraded
            expected = replace(before, degraded=True) if never_judged and after.degraded else before
            assert after == expected, "a rule that is the same makes no difference"
        verdict = slot.rule.condition.judge(self.pipeline.facts, slot.memory, True, now).exceeded
        outer = slot.outer is not None and slot.outer.alarm.calls
        if before.active and verdict is not False and not outer:
            assert after.active and after.occurrence == before.occurrence and after.count == before.count
        running = before.timer is not None and before.timer.kind is TimerKind.ON and before.timer.due_s is not None
        if running and verdict is True and not outer:
            assert after.timer is not None and before.timer is not None
            assert not after.active and after.timer.due_s == before.timer.due_s, "a delay neither restarts nor shortens"
        if slot.rule.definition.priority is Priority.P1:
            assert after.shelved is None, "a P1 is never shelved"

    def _boot(self, engine: Engine) -> None:
        annunciator = Annunciator(OUTPUTS, {}, lambda: None)
        self.pipeline = Pipeline(FactTable(POINTS.values()), engine, annunciator, self.recorder, self.clock)
        self.pipeline.refresh(self.clock.now())

    def _ingest(self, point: str, value: Value) -> None:
        self.values[point] = value
        now = self.clock.now()
        taken = Sample.good(point, value, now) if value is not None else Sample.bad(point, "lost", now)
        self.pipeline.ingest([taken])


def _sounds(engine: Engine, alarm: Alarm) -> bool:
    urgent = engine.definitions[alarm.id].priority <= Priority.P2
    return urgent and alarm.calls and alarm.process is AlarmState.UNACKNOWLEDGED and not alarm.silenced


TestSwapping = Swapping.TestCase
TestSwapping.settings = settings(max_examples=times(500), stateful_step_count=50, deadline=None)
