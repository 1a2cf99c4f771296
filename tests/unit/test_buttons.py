"""A push-button acts when somebody presses it, and never because it can be seen again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from agent.annunciation import Annunciator, OutputKind
from agent.annunciation.buttons import ButtonOptions, watched
from agent.app.builtin import button_rule
from agent.core.clock import ManualClock
from agent.core.model import AlarmState, PointInfo, Sample, Value
from agent.facts import FactTable
from agent.pipeline import Pipeline
from rules.engine import Engine
from rules.kinds.level import LevelOptions
from tests.fakes import FakeRecorder

POINTS = {
    "room.gas": PointInfo("room.gas", zone="boiler"),
    "yard.gas": PointInfo("yard.gas", zone="yard"),
    "panel.button": PointInfo("panel.button", stale_after_s=3.0),
}


def rule(id_: str, **more: object) -> LevelOptions:
    limits = {"H": {"at": 20, "priority": "P1", "on_delay": "0s"}}
    return LevelOptions.model_validate(
        {"id": id_, "name": id_, "input": f"{id_}.gas", "limits": limits, "off_delay": "0s", **more}
    )


class Panel:
    def __init__(self, action: str = "acknowledge", **options: Any) -> None:
        self.clock, self.recorder = ManualClock(), FakeRecorder()
        rules = [each for made in (rule("room", outputs=["siren"]), rule("yard")) for each in made.compile(POINTS)]
        annunciator = Annunciator({"siren": OutputKind.SIREN}, {}, lambda: None)
        self.pipeline = Pipeline(FactTable(POINTS.values()), Engine(rules), annunciator, self.recorder, self.clock)
        made = ButtonOptions.model_validate({"point": "panel.button", "action": action, **options})
        self.pipeline.watched = watched({"panel": made}, self.pipeline)
        self.set("room.gas", 50)
        self.set("yard.gas", 50)

    def set(self, point: str, value: Value) -> None:
        self.pipeline.ingest([Sample.good(point, value, self.clock.now())])

    def lose(self) -> None:
        self.pipeline.ingest([Sample.bad("panel.button", "cable", self.clock.now())])

    def press(self) -> None:
        self.set("panel.button", False)
        self.set("panel.button", True)

    def answered(self) -> list[str]:
        alarms = self.pipeline.engine.alarms.values()
        return [alarm.id[:4] for alarm in alarms if alarm.state is AlarmState.ACKNOWLEDGED or alarm.silenced]


def test_pressed_and_let_go_and_the_journal_tells_through_what() -> None:
    panel = Panel()
    panel.press()
    assert panel.answered() == ["room", "yard"]
    told = [event.data["operator"] for event in panel.recorder.events if event.data.get("action") == "acknowledged"]
    assert told == [{"name": "button at panel", "via": "button", "note": ""}] * 2


def test_silence_is_not_acknowledgement() -> None:
    panel = Panel("silence")
    panel.press()
    assert {alarm.state for alarm in panel.pipeline.engine.alarms.values()} == {"unacknowledged"}
    assert panel.answered() == ["room", "yard"] and panel.pipeline.annunciator.wanted["siren"] == "off"


@pytest.mark.parametrize(("scope", "answered"), [({"zone": "yard"}, ["yard"]), ({"outputs": ["horn"]}, ["yard"])])
def test_a_button_may_be_for_one_zone_or_for_some_outputs(scope: dict[str, Any], answered: list[str]) -> None:
    panel = Panel(**scope)
    panel.press()
    assert panel.answered() == answered


def stale(panel: Panel) -> None:
    panel.set("panel.button", False)
    panel.clock.advance(4.0)
    panel.pipeline.sweep()
    panel.set("panel.button", True)


def lost(panel: Panel) -> None:
    panel.set("panel.button", False)
    panel.lose()
    panel.set("panel.button", True)


def lost_while_held(panel: Panel) -> None:
    panel.set("panel.button", True)
    panel.lose()
    panel.set("panel.button", True)


@pytest.mark.parametrize("story", [lambda panel: panel.set("panel.button", True), stale, lost, lost_while_held])
def test_what_was_not_seen_to_be_pressed_does_nothing(story: Callable[[Panel], None]) -> None:
    panel = Panel()
    story(panel)
    assert panel.answered() == []
    panel.press()
    assert panel.answered() == ["room", "yard"], "and then it works again"


@pytest.mark.parametrize(("pressed", "released"), [(True, False), (1, 0)])
def test_a_button_that_stays_pressed_is_an_alarm(pressed: Value, released: Value) -> None:
    clock, facts = ManualClock(), FactTable([PointInfo("panel.button")])
    engine = Engine(button_rule("panel", "panel.button").compile(facts.points))
    for value, wait_s, state in (
        (pressed, 29.9, "normal"),
        (released, 60.0, "normal"),
        (pressed, 30.0, "unacknowledged"),
    ):
        engine.evaluate(facts, facts.update([Sample.good("panel.button", value, clock.now())]), clock.now())
        engine.evaluate(facts, (), clock.advance(wait_s))
        assert engine.alarms["panel.held"].state == state
