"""The leg from facts to an alarm: real rules, in an engine of their own, in virtual time."""

from __future__ import annotations

from dataclasses import replace

from agent.app.proof import ShadowFacts, concerned, rehearse
from agent.core.calendars import Calendar, Window
from agent.core.clock import ManualClock
from agent.core.model import PointInfo, Sample, Value
from agent.facts import FactTable
from rules.kinds.condition import ConditionOptions
from rules.kinds.level import LevelOptions
from rules.rule import Rule

POINTS = {name: PointInfo(name, stale_after_s=2.0) for name in ("press.running", "gate.no_helmet", "room.gas")}
NOW = ManualClock().now()


def bare_head(**more: object) -> Rule:
    options = {
        "id": "bare", "kind": "condition", "name": "Bare",
        "inputs": {"running": "press.running", "bare": "gate.no_helmet"},
        "when": "running && bare > 0", "priority": "P2", "on_delay": "3s", **more,
    }  # fmt: skip
    (rule,) = ConditionOptions.model_validate(options).compile(POINTS)
    return rule


def gas() -> list[Rule]:
    limits = {"H": {"at": 20, "priority": "P1"}}
    options = {"id": "gas", "kind": "level", "name": "Gas", "input": "room.gas", "limits": limits}
    return list(LevelOptions.model_validate(options).compile(POINTS))


def shadow(stated: dict[str, Value], **live: Value) -> ShadowFacts:
    table = FactTable(POINTS.values())
    table.update([Sample.good(name.replace("_", ".", 1), value, NOW) for name, value in live.items()])
    return ShadowFacts(stated, table, NOW)


def raised(facts: ShadowFacts, *rules: Rule) -> tuple[str, float] | None:
    found = rehearse(concerned(rules, ["gate.no_helmet"]), facts, NOW)
    return (found.definition.id, round(found.after_s, 3)) if found else None


def test_only_the_rules_of_the_camera_are_rehearsed() -> None:
    assert [rule.definition.id for rule in concerned([bare_head(), *gas()], ["gate.no_helmet"])] == ["bare"]


def test_the_delay_passes_in_virtual_time_and_live_facts_do_not_grow_old_meanwhile() -> None:
    assert raised(shadow({"gate.no_helmet": 2}, press_running=True), bare_head()) == ("bare", 3.0)


def test_what_the_site_assumes_stands_for_what_is_live() -> None:
    assert raised(shadow({"gate.no_helmet": 2}, press_running=False), bare_head()) is None
    assumed = shadow({"gate.no_helmet": 2, "press.running": True}, press_running=False)
    assert raised(assumed, bare_head()) == ("bare", 3.0)


def test_nobody_in_the_picture_and_an_input_that_is_unknown_raise_nothing() -> None:
    assert raised(shadow({"gate.no_helmet": 0}, press_running=True), bare_head()) is None
    assert raised(shadow({"gate.no_helmet": 2}), bare_head()) is None


def test_a_rule_that_is_not_armed_now_or_suppressed_is_proven_all_the_same() -> None:
    never = Calendar("shift", (Window.model_validate({"days": "sun"}),))
    rule = replace(bare_head(), calendar=never, armed="shift")
    assert raised(shadow({"gate.no_helmet": 2}, press_running=True), rule) == ("bare", 3.0)
    maintained = bare_head(suppress={"inputs": {"running": "press.running"}, "when": "running"})
    assert raised(shadow({"gate.no_helmet": 2}, press_running=True), maintained) == ("bare", 3.0)
