"""Policy, floods, figures and removals through the whole pipeline, with real rules and no clock but the test's."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from agent.annunciation import Annunciator, OutputKind
from agent.app import builtin
from agent.core.clock import ManualClock
from agent.core.errors import NotAllowed
from agent.core.model import EventDraft, Operator, PointInfo, Priority, Sample
from agent.facts import FactTable
from agent.flood import SUMMARY
from agent.health import gateway_points
from agent.pipeline import Pipeline
from agent.policy import OperationOptions, Policy, ShiftOptions
from rules.engine import Engine
from rules.kinds.condition import ConditionOptions
from tests.fakes import FakeRecorder

LI = Operator("li", "hmi", "seen")
MUTE = Operator("li", "hmi")
COUNT = 20
POINTS = {
    **{point.id: point for point in gateway_points((), ())},
    **{f"press.p{number}": PointInfo(f"press.p{number}", zone="press") for number in range(COUNT)},
}


def rules(**more: object) -> Iterable[ConditionOptions]:
    for number in range(COUNT):
        yield ConditionOptions.model_validate(
            {"id": f"a{number}", "name": f"A {number}", "inputs": {"on": f"press.p{number}"}, "when": "on",
             "priority": "P2" if number == 0 else "P3", "post": "operator", **more}
        )  # fmt: skip


class Rig:
    def __init__(self, policy: Policy | None = None, **more: object) -> None:
        self.clock, self.recorder = ManualClock(), FakeRecorder()
        outputs = {"siren": OutputKind.SIREN, "red": OutputKind.RED, "yellow": OutputKind.YELLOW}
        self.annunciator = Annunciator(outputs, {}, lambda: None)
        built = builtin.compile_builtin(builtin.gateway_rules(), POINTS)
        own = [rule for options in rules(**more) for rule in options.compile(POINTS)]
        self.engine = Engine([*built, *own])
        facts = FactTable(POINTS.values())
        self.pipeline = Pipeline(facts, self.engine, self.annunciator, self.recorder, self.clock, policy)

    def set(self, number: int, on: bool) -> None:
        self.pipeline.ingest([Sample.good(f"press.p{number}", on, self.clock.now())])

    def flood_point(self) -> None:
        flooded = bool(self.pipeline.operations.flood.zones)
        self.pipeline.ingest([Sample.good(SUMMARY, flooded, self.clock.now())])

    def told(self, kind: str) -> list[EventDraft]:
        return [event for event in self.recorder.events if event.kind == kind]


def test_an_urgent_alarm_needs_a_reason_and_a_button_has_none() -> None:
    rig = Rig()
    rig.set(0, True)
    rig.set(1, True)
    with pytest.raises(NotAllowed, match=r"to acknowledge a0 \(P2\) needs a reason"):
        rig.pipeline.acknowledge("a0", MUTE)
    assert rig.annunciator.wanted["siren"] != "off"
    assert rig.pipeline.acknowledge("a1", MUTE)
    assert rig.pipeline.acknowledge("a0", Operator("panel 2", "button"))
    assert not rig.pipeline.acknowledge("a2", MUTE), "nothing to acknowledge needs no reason"
    with pytest.raises(KeyError):
        rig.pipeline.acknowledge("nothing", LI)


@pytest.mark.parametrize(
    ("asked", "urgent", "lesser"), [("P1", False, False), ("P4", True, True), ("none", False, False)]
)
def test_the_site_says_which_alarms_need_a_reason(asked: str, urgent: bool, lesser: bool) -> None:
    policy = Policy(OperationOptions.model_validate({"ack_reason": asked}).ack_reason)
    engine = Rig().engine
    assert policy.needs_reason(engine.definitions["a0"]) is urgent
    assert policy.needs_reason(engine.definitions["a1"]) is lesser


def test_shelf_and_service_are_journalled_with_who_and_why() -> None:
    rig = Rig()
    rig.set(1, True)
    assert rig.pipeline.shelve("a1", 600.0, Operator("li", "hmi", "sensor is cleaned"))
    assert rig.annunciator.wanted["yellow"] == "off"
    shelved = rig.told("alarm.transition")[-1]
    assert shelved.data["action"] == "shelved" and shelved.data["to_state"] == "shelved"
    assert shelved.data["operator"] == {"name": "li", "via": "hmi", "note": "sensor is cleaned"}
    until = (rig.clock.now().utc + timedelta(seconds=600)).isoformat()
    assert shelved.data["shelved"] == {
        "reason": "sensor is cleaned", "by": "li", "via": "hmi", "second": "",
        "since": rig.clock.now().utc.isoformat(), "until": until,
    }  # fmt: skip
    rig.clock.advance(600.0)
    rig.pipeline.timers()
    assert rig.told("alarm.transition")[-1].data["action"] == "shelf-expired"
    assert rig.annunciator.wanted["yellow"] == "flash"
    with pytest.raises(NotAllowed, match="second person"):
        rig.pipeline.take_out("a1", "Li", Operator("li", "hmi", "repair"))
    assert rig.pipeline.take_out("a1", "wang", Operator("li", "hmi", "repair"))
    assert rig.told("alarm.transition")[-1].data["out_of_service"]["second"] == "wang"  # type: ignore[index]
    assert rig.pipeline.bring_back("a1", LI) and not rig.pipeline.bring_back("a1", LI)
    assert not rig.pipeline.unshelve("a1", LI)
    assert rig.annunciator.wanted["yellow"] == "flash"


def flooded() -> Rig:
    rig = Rig()
    for number in range(1, 12):
        rig.set(number, True)
    rig.pipeline.sweep()
    rig.flood_point()
    return rig


def test_a_flood_is_told_and_its_summary_stands_for_the_rest() -> None:
    rig = flooded()
    begins = rig.told("flood")
    assert {event.zone for event in begins} == {"press", ""} and begins[0].data["raised"] == 11
    assert begins[0].data["by_priority"] == {"P1": 0, "P2": 0, "P3": 11, "P4": 0}
    assert rig.engine.alarms[SUMMARY].calls and set(rig.pipeline.muted_zones()) == {"press", ""}
    assert rig.annunciator.wanted == {"siren": "off", "red": "off", "yellow": "flash"}
    rig.pipeline.acknowledge(SUMMARY, LI)
    assert rig.annunciator.wanted["yellow"] == "on", "the others are muted: the summary was acknowledged"
    rig.set(12, True)
    assert rig.annunciator.wanted["yellow"] == "on"
    rig.set(0, True)
    assert rig.annunciator.wanted["siren"] != "off", "P2 is never muted"


def test_without_a_summary_that_calls_nothing_is_muted() -> None:
    rig = flooded()
    rig.pipeline.acknowledge(SUMMARY, LI)
    rig.pipeline.take_out(SUMMARY, "wang", Operator("li", "hmi", "tired of it"))
    assert rig.annunciator.wanted["yellow"] == "flash"
    with pytest.raises(NotAllowed, match="cannot be shelved"):
        rig.pipeline.shelve(SUMMARY, 60.0, LI)


def test_after_the_flood_every_alarm_speaks_for_itself() -> None:
    rig = flooded()
    rig.pipeline.acknowledge(SUMMARY, LI)
    rig.clock.advance(601.0)
    rig.pipeline.sweep()
    assert rig.told("flood")[-1].data["action"] == "ends" and rig.told("flood")[-1].data["duration_s"] == 601.0
    assert rig.annunciator.wanted["yellow"] == "flash"
    rig.flood_point()
    rig.clock.advance(10.0)
    rig.pipeline.timers()
    assert rig.engine.alarms[SUMMARY].state == "normal"


def test_an_escalation_names_the_post_that_is_called_now() -> None:
    steps = [{"after": "60s", "post": "shift leader"}, {"after": "180s", "post": "plant manager"}]
    rig = Rig(escalate=steps)
    rig.set(1, True)
    first = rig.told("alarm.transition")[-1].data["escalation"]
    assert isinstance(first, dict) and (first["step"], first["of"], first["post"]) == (0, 2, "operator")
    assert first["next_post"] == "shift leader"
    rig.clock.advance(60.0)
    rig.pipeline.timers()
    event = rig.told("alarm.transition")[-1]
    assert event.data["action"] == "escalated"
    assert event.data["escalation"]["post"] == "shift leader"  # type: ignore[index]
    rig.clock.advance(120.0)
    rig.pipeline.timers()
    last = rig.told("alarm.transition")[-1].data["escalation"]
    assert isinstance(last, dict) and (last["step"], last["post"], last["next_at"]) == (2, "plant manager", None)


def test_chatter_is_told_with_the_longer_delay() -> None:
    rig = Rig(off_delay="1s")
    for _ in range(4):
        rig.set(1, True)
        rig.clock.advance(1.0)
        rig.set(1, False)
        rig.clock.advance(1.0)
        rig.pipeline.timers()
    event = next(event for event in rig.told("alarm.transition") if event.data["action"] == "chattering")
    assert event.data["chattering"] and event.data["delays"] == {"on_s": 0.0, "off_s": 2.0, "stretched": True}


def test_an_event_has_labels_group_and_first_out() -> None:
    rig = Rig(group="line", labels={"equipment": "press 3", "hazard_class": "people"})
    rig.set(1, True)
    rig.set(2, True)
    first, second = rig.told("alarm.transition")
    assert (first.data["first_out"], second.data["first_out"]) == (True, False)
    assert first.data["labels"] == {"equipment": "press 3", "hazard_class": "people"} and first.data["group"] == "line"


def shift(begin: str, end: str, crew: str) -> ShiftOptions:
    return ShiftOptions.model_validate({"from": begin, "to": end, "crew": crew})


def test_the_crew_on_duty_is_in_the_event() -> None:
    shifts = {"day": shift("08:00", "20:00", "crew A"), "night": shift("20:00", "08:00", "crew B")}
    policy = Policy(Priority.P2, shifts, ZoneInfo("Asia/Shanghai"))
    assert policy.crew(datetime(2026, 5, 1, 2, 0, tzinfo=UTC)) == "crew A"
    assert policy.crew(datetime(2026, 5, 1, 18, 0, tzinfo=UTC)) == "crew B"
    assert policy.crew(datetime(1970, 1, 1, 18, 0, tzinfo=UTC)) == "", "a clock that was never set knows no shift"
    assert replace(policy, shifts={}).crew(datetime(2026, 5, 1, tzinfo=UTC)) == ""
    rig = Rig(policy)
    rig.set(1, True)
    assert rig.told("alarm.transition")[-1].data["crew"] == policy.crew(rig.clock.now().utc) != ""


def test_the_figures_go_on_after_a_restart_and_count_nothing_twice() -> None:
    rig = Rig()
    past = rig.clock.now().utc - timedelta(seconds=30)
    rig.pipeline.operations.hold()
    rig.set(1, True)
    journal = [
        event("raised", "unacknowledged", "a5", past),
        event("acknowledged", "acknowledged", "a5", past + timedelta(seconds=12)),
        event("of-another-version", "normal", "a5", past),
        event("raised", "shelved", "a6", past),
    ]
    rig.pipeline.operations.refill(journal, rig.clock.now())
    rig.pipeline.operations.release()
    found = rig.pipeline.operations.kpi.figures("24h", rig.clock.now().mono_s)
    assert {row["alarm"]: row["raised"] for row in found["top"]} == {"a5": 1, "a1": 1}
    assert found["acknowledge"]["count"] == 1
    assert rig.pipeline.operations.flood.lately(rig.clock.now().mono_s) == 2


def event(action: str, state: str, alarm: str, at: datetime) -> dict[str, object]:
    data = {"action": action, "to_state": state, "alarm_id": alarm, "priority": 3}
    return {"type": "anshao.alarm.transition.v1", "time": at.isoformat(), "zone": "press", "data": data}
