"""How far the centre is with a hazard: kept beside the alarm, told with it, and nothing of the alarm changes."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from agent.app.alarm_row import alarm_row
from agent.core.errors import NotAllowed
from agent.core.hazard import Handling, Hazard
from agent.core.model import Action, Operator
from agent.journal.envelope import alarm_from_json, alarm_to_json
from tests.unit.test_operations import LI, Rig

CENTRE = Operator("Zhao Min", "mqtt", "list of March")
AT = datetime(2026, 1, 5, 8, 0, tzinfo=UTC)


def told(status: Handling, occurrence: str, **more: Any) -> Hazard:
    return Hazard("YH-2026-031", status, occurrence, AT, "Zhao Min", "mqtt", **more)


def test_it_is_told_with_every_event_of_the_alarm_from_then_on() -> None:
    rig = Rig()
    rig.set(1, True)
    first = rig.engine.alarms["a1"].occurrence
    hazard = told(Handling.ASSIGNED, first, level="major", deadline=date(2026, 1, 12), supervised=True)
    assert rig.pipeline.tell_hazard("a1", hazard, CENTRE) is False
    event = rig.told("alarm.transition")[-1]
    assert (event.data["action"], event.data["from_state"], event.data["to_state"]) == (
        "hazard",
        *("unacknowledged",) * 2,
    )
    row: Any = event.data["hazard"]
    assert (row["hazard"], row["status"], row["deadline"], row["recurs"]) == (
        "YH-2026-031",
        "assigned",
        "2026-01-12",
        False,
    )
    assert event.data["operator"] == {"name": "Zhao Min", "via": "mqtt", "note": "list of March"}
    rig.pipeline.acknowledge("a1", LI)
    assert rig.told("alarm.transition")[-1].data["hazard"] == row
    assert rig.told("alarm.transition")[0].data["hazard"] is None, "before, nothing was known of one"


def test_an_alarm_that_comes_again_after_the_hazard_was_closed_says_so() -> None:
    rig = Rig()
    rig.set(1, True)
    first = rig.engine.alarms["a1"].occurrence
    rig.pipeline.acknowledge("a1", LI)
    rig.set(1, False)
    assert rig.pipeline.tell_hazard("a1", told(Handling.CLOSED, first), CENTRE) is False
    assert rig.engine.alarms["a1"].state == "normal", "it is told of an alarm that is over, too"
    rig.set(1, True)
    raised: Any = rig.told("alarm.transition")[-1].data
    assert (raised["action"], raised["hazard"]["status"], raised["hazard"]["recurs"]) == ("raised", "closed", True)
    assert rig.pipeline.tell_hazard("a1", told(Handling.RECTIFYING, first), CENTRE) is True
    row = alarm_row(rig.engine.definitions["a1"], rig.engine.alarms["a1"], rig.pipeline, rig.clock.now().mono_s)
    assert row["hazard"] is not None and row["hazard"]["recurs"] and row["state"] == "unacknowledged"


def test_it_survives_a_restart_and_another_set_of_rules() -> None:
    rig, after = Rig(), Rig()
    rig.set(1, True)
    hazard = told(Handling.REJECTED, "o", reason="the guard is still open", deadline=date(2026, 1, 12))
    rig.pipeline.tell_hazard("a1", hazard, CENTRE)
    (saved,) = [each for each in rig.recorder.alarms if each.id == "a1" and each.hazard is not None]
    assert alarm_from_json(alarm_to_json(saved)) == saved
    after.engine.restore([saved], True, after.clock.now())
    assert after.engine.alarms["a1"].hazard == hazard
    swapped = Rig(on_delay="3s")
    swapped.engine.adopt(after.engine, after.clock.now())
    assert swapped.engine.alarms["a1"].hazard == hazard


_ACTS = st.sampled_from(["on", "off", "bad", "ack", "silence", "shelve", "unshelve", "take_out", "bring_back", "wait"])


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(_ACTS, st.sampled_from([None, *Handling])), max_size=20))
def test_state_siren_and_shelf_are_what_they_would_be_without(story: list[tuple[str, Handling | None]]) -> None:
    plain, followed = Rig(on_delay="3s"), Rig(on_delay="3s")
    for act, status in story:
        for rig in (plain, followed):
            _do(rig, act)
        if status is not None:
            followed.pipeline.tell_hazard("a1", told(status, "o"), CENTRE)
        mine, theirs = plain.engine.alarms["a1"], followed.engine.alarms["a1"]
        assert replace(theirs, hazard=None) == mine
        assert followed.annunciator.wanted == plain.annunciator.wanted
        assert followed.pipeline.next_due_s() == plain.pipeline.next_due_s()
    actions = [event.data["action"] for event in followed.told("alarm.transition")]
    assert [each for each in actions if each != Action.HAZARD] == [
        event.data["action"] for event in plain.told("alarm.transition")
    ]


def _do(rig: Rig, act: str) -> None:
    pipeline = rig.pipeline
    try:
        match act:
            case "on" | "off":
                rig.set(1, act == "on")
            case "ack":
                pipeline.acknowledge("a1", LI)
            case "silence":
                pipeline.silence(None, LI)
            case "shelve":
                pipeline.shelve("a1", 60.0, LI)
            case "unshelve":
                pipeline.unshelve("a1", LI)
            case "take_out":
                pipeline.take_out("a1", "wang", LI)
            case "bring_back":
                pipeline.bring_back("a1", LI)
            case _:
                rig.clock.advance(2.0)
                pipeline.timers()
    except NotAllowed:
        pass
