from __future__ import annotations

from pathlib import Path

import pytest

from agent.core.clock import ManualClock
from agent.core.model import AlarmState, Operator, PointInfo, Quality, Sample, Value
from agent.facts import FactTable
from rules.cel import CelCondition
from rules.engine import Engine
from rules.kinds.condition import ConditionOptions
from rules.kinds.level import LevelOptions, LimitOptions

POINTS = {"p.a": PointInfo("p.a", "bar", stale_after_s=5.0), "p.b": PointInfo("p.b")}
LEVEL = LevelOptions(
    id="a",
    name={"en": "A"},
    input="p.a",
    limits={"H": LimitOptions.model_validate({"at": 10, "priority": "P2"})},
    deadband=1.0,
    on_delay=2.0,
    off_delay=0.0,
)


def engine_and_facts() -> tuple[Engine, FactTable, ManualClock]:
    return Engine(LEVEL.compile(POINTS)), FactTable(POINTS.values()), ManualClock()


def test_only_what_depends_on_a_point_is_evaluated() -> None:
    engine, facts, clock = engine_and_facts()
    other = facts.update([Sample.good("p.b", 11.0, clock.now())])
    assert engine.evaluate(facts, other, clock.now()) == []
    (change,) = engine.evaluate(facts, facts.update([Sample.good("p.a", 11.0, clock.now())]), clock.now())
    assert change.transition is None and engine.next_due_s() == clock.now().mono_s + 2.0


def test_a_timer_fires_without_a_new_sample() -> None:
    engine, facts, clock = engine_and_facts()
    engine.evaluate(facts, facts.update([Sample.good("p.a", 11.0, clock.now())]), clock.now())
    (change,) = engine.evaluate(facts, (), clock.advance(2.0))
    assert change.transition is not None and change.transition.action == "raised"
    assert change.transition.value == 11.0 and engine.next_due_s() is None


def test_a_stale_point_freezes_the_delay_and_keeps_an_active_alarm() -> None:
    engine, facts, clock = engine_and_facts()
    engine.evaluate(facts, facts.update([Sample.good("p.a", 11.0, clock.now())]), clock.now())
    engine.evaluate(facts, (), clock.advance(2.0))
    now = clock.advance(60.0)
    engine.sweep(facts, facts.expired(now.mono_s), now)
    alarm = engine.alarms["a.H"]
    assert alarm.state is AlarmState.UNACKNOWLEDGED and alarm.degraded and alarm.exceeded is None


def test_the_deadband_holds_through_a_gap_in_the_data() -> None:
    engine, facts, clock = engine_and_facts()
    engine.evaluate(facts, facts.update([Sample.good("p.a", 11.0, clock.now())]), clock.now())
    engine.evaluate(facts, (), clock.advance(2.0))
    engine.evaluate(facts, facts.update([Sample.bad("p.a", "lost", clock.now())]), clock.now())
    engine.evaluate(facts, facts.update([Sample.good("p.a", 9.5, clock.now())]), clock.now())
    assert engine.alarms["a.H"].active


def test_restore_takes_up_state_and_ignores_what_has_no_rule() -> None:
    engine, facts, clock = engine_and_facts()
    engine.evaluate(facts, facts.update([Sample.good("p.a", 11.0, clock.now())]), clock.now())
    engine.evaluate(facts, (), clock.advance(2.0))
    engine.acknowledge("a.H", Operator("li", "cli"), clock.now())
    saved = list(engine.alarms.values())
    again = Engine(LEVEL.compile(POINTS))
    again.restore([*saved, saved[0].__class__("gone")], same_boot=True, now=clock.now())
    assert again.alarms["a.H"].state is AlarmState.ACKNOWLEDGED and again.alarms["a.H"].acknowledged_by == "li"
    assert again.evaluate(FactTable(POINTS.values()), None, clock.advance(100)) != []
    assert again.alarms["a.H"].state is AlarmState.ACKNOWLEDGED, "nothing known clears nothing"


@pytest.mark.parametrize("value", [11.0, 5.0, None])
def test_what_stood_is_taken_up_late_whatever_was_seen_meanwhile(value: Value) -> None:
    """The disk was slow: the rules began without what was saved."""
    before, facts, clock = engine_and_facts()
    before.evaluate(facts, facts.update([Sample.good("p.a", 11.0, clock.now())]), clock.now())
    before.evaluate(facts, (), clock.advance(2.0))
    again, facts = Engine(LEVEL.compile(POINTS)), FactTable(POINTS.values())
    seen = Sample.good("p.a", value, clock.now()) if value is not None else Sample.bad("p.a", "lost", clock.now())
    again.evaluate(facts, facts.update([seen]), clock.now())
    again.restore(before.alarms.values(), same_boot=True, now=clock.advance(1.0))
    changes = again.evaluate(facts, (), clock.now())
    alarm = again.alarms["a.H"]
    assert alarm.occurrence == before.alarms["a.H"].occurrence
    assert alarm.active is (value != 5.0) and alarm.exceeded is (value == 11.0 if value else None)
    assert alarm.state in (AlarmState.UNACKNOWLEDGED, AlarmState.RETURNED)
    assert [change.transition.action for change in changes if change.transition] == ["returned"] * (value == 5.0)
    assert again.evaluate(facts, (), clock.advance(5.0)) == [], "it is not raised anew"


def test_what_happened_since_counts_more_than_what_is_taken_up_late() -> None:
    before, facts, clock = engine_and_facts()
    before.evaluate(facts, facts.update([Sample.good("p.a", 11.0, clock.now())]), clock.now())
    before.evaluate(facts, (), clock.advance(2.0))
    before.acknowledge("a.H", Operator("li", "cli"), clock.now())
    again, facts = Engine(LEVEL.compile(POINTS)), FactTable(POINTS.values())
    again.evaluate(facts, facts.update([Sample.good("p.a", 11.0, clock.now())]), clock.now())
    again.evaluate(facts, (), clock.advance(2.0))
    again.restore(before.alarms.values(), same_boot=True, now=clock.now())
    assert again.alarms["a.H"].state is AlarmState.UNACKNOWLEDGED


def test_a_delay_that_runs_goes_on_when_nothing_stood() -> None:
    before, facts, clock = engine_and_facts()
    again = Engine(LEVEL.compile(POINTS))
    again.evaluate(facts, facts.update([Sample.good("p.a", 11.0, clock.now())]), clock.now())
    again.restore(before.alarms.values(), same_boot=True, now=clock.advance(1.0))
    (change,) = again.evaluate(facts, (), clock.advance(1.0))
    assert change.transition is not None and change.transition.action == "raised"


def test_a_delay_that_ran_before_ends_when_its_reason_is_known_to_be_gone() -> None:
    before, facts, clock = engine_and_facts()
    before.evaluate(facts, facts.update([Sample.good("p.a", 11.0, clock.now())]), clock.now())
    again, facts = Engine(LEVEL.compile(POINTS)), FactTable(POINTS.values())
    again.evaluate(facts, facts.update([Sample.good("p.a", 5.0, clock.advance(1.0))]), clock.now())
    again.restore(before.alarms.values(), same_boot=True, now=clock.now())
    again.evaluate(facts, (), clock.now())
    again.evaluate(facts, (), clock.advance(5.0))
    assert again.alarms["a.H"].state is AlarmState.NORMAL and again.alarms["a.H"].timer is None


def test_unknown_ids_are_told() -> None:
    engine, _, clock = engine_and_facts()
    with pytest.raises(KeyError):
        engine.acknowledge("nope", Operator("li", "cli"), clock.now())


@pytest.mark.parametrize(
    ("when", "known", "expected"),
    [
        ("a || b", {"b": True}, True),
        ("a || b", {"b": False}, None),
        ("a && b", {"b": False}, False),
        ("a && b", {"b": True}, None),
        ("a && b", {}, None),
        ("a > 1.0 && b", {"a": float("nan"), "b": True}, None),
        ("a > 1.0 && b", {"a": "text", "b": True}, None),
        ("a > 1.0 && b", {"a": "text", "b": False}, False),
        ("a", {"a": 5}, None),
        ("!a", {"a": False}, True),
        ("1 / a > 0", {"a": 0}, None),
        ("a + 9223372036854775807 > 0", {"a": 5}, None),
        ("a.startsWith('x')", {"a": "\ud800"}, None),
        ("a[3] > 0", {"a": "text"}, None),
    ],
)
def test_unknown_is_a_value_of_its_own(when: str, known: dict[str, Value], expected: bool | None) -> None:
    names = {"a": "p.a", "b": "p.b"}
    condition, clock = CelCondition(when, names), ManualClock()
    facts = FactTable(POINTS.values())
    facts.update([Sample.good(names[name], value, clock.now()) for name, value in known.items()])
    assert condition.judge(facts, None, False, clock.now()).exceeded is expected


def test_an_uncertain_input_counts_but_shows() -> None:
    rule = ConditionOptions.model_validate(
        {"id": "c", "name": "C", "inputs": {"b": "p.b"}, "when": "b > 1", "priority": "P3"}
    )
    engine, facts, clock = Engine(rule.compile(POINTS)), FactTable(POINTS.values()), ManualClock()
    now = clock.now()
    facts.update([Sample("p.b", 2, Quality.UNCERTAIN, now.utc, now.mono_s)])
    engine.evaluate(facts, None, now)
    assert engine.alarms["c"].active and engine.alarms["c"].degraded


def test_rules_say_what_they_do(tmp_path: Path) -> None:
    assert Engine(LEVEL.compile(POINTS)).describe("a.H") == "p.a at or above 10 bar (deadband 1) for 2s"
