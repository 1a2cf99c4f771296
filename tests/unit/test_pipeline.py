"""From a sample to a wanted output, with real rules, and no clock but the test's."""

from __future__ import annotations

import pytest

from agent.annunciation import Annunciator, OutputKind
from agent.core.clock import ManualClock
from agent.core.model import Level, Operator, PointInfo, Sample
from agent.facts import FactTable
from agent.pipeline import Pipeline
from rules.engine import Engine
from rules.kinds.level import LevelOptions
from tests.fakes import FakeRecorder

LI = Operator("li", "hmi", "seen")
POINTS = {"room.gas": PointInfo("room.gas", "%LEL", "boiler-room", stale_after_s=3.0)}
GAS = LevelOptions.model_validate(
    {
        "id": "gas",
        "name": {"en": "Gas", "zh": "燃气"},
        "input": "room.gas",
        "limits": {"H": {"at": 20, "priority": "P3"}, "HH": {"at": 40, "priority": "P1", "on_delay": "0s"}},
        "on_delay": "2s",
        "off_delay": "0s",
    }
)


class Rig:
    def __init__(self) -> None:
        self.clock, self.recorder = ManualClock(), FakeRecorder()
        self.order: list[str] = []
        outputs = {"siren": OutputKind.SIREN, "red": OutputKind.RED, "yellow": OutputKind.YELLOW}
        self.annunciator = Annunciator(outputs, {}, lambda: self.order.append("outputs"))
        engine = Engine(GAS.compile(POINTS))
        self.pipeline = Pipeline(FactTable(POINTS.values()), engine, self.annunciator, self.recorder, self.clock)

    def gas(self, value: float) -> None:
        self.pipeline.ingest([Sample.good("room.gas", value, self.clock.now())])

    def wanted(self) -> tuple[Level, ...]:
        return tuple(self.annunciator.wanted.values())

    def told(self) -> list[tuple[str, object]]:
        return [(event.subject, event.data.get("action")) for event in self.recorder.events if "action" in event.data]


def test_beacon_then_siren_then_acknowledged_then_gone() -> None:
    rig = Rig()
    rig.gas(25)
    assert rig.wanted() == ("off", "off", "off")
    rig.clock.advance(2.0)
    rig.pipeline.timers()
    assert rig.wanted() == ("off", "off", "flash")
    rig.gas(41)
    assert rig.wanted() == ("modulated", "flash", "off"), "HH stands for H"
    assert rig.pipeline.silence(None, LI) == 1
    assert rig.wanted() == ("off", "flash", "off")
    assert rig.pipeline.acknowledge("gas.HH", LI)
    assert rig.wanted() == ("off", "on", "off")
    rig.gas(25)
    assert rig.wanted() == ("off", "off", "flash"), "H comes back at once"
    rig.gas(5)
    rig.pipeline.acknowledge("gas.H", LI)
    assert rig.wanted() == ("off", "off", "off")
    assert [told for told in rig.told() if told[1]] == [
        ("gas.H", "raised"),
        ("gas.HH", "raised"),
        ("gas.H", "superseded"),
        ("gas.HH", "silenced"),
        ("gas.HH", "acknowledged"),
        ("gas.HH", "cleared"),
        ("gas.H", "raised"),
        ("gas.H", "returned"),
        ("gas.H", "acknowledged"),
    ]


def test_the_outputs_know_before_the_journal() -> None:
    rig = Rig()
    rig.recorder.listener = lambda: rig.order.append("journal")
    rig.gas(50)
    assert rig.order[:2] == ["outputs", "journal"]


def test_an_event_carries_its_inputs_and_who_acted() -> None:
    rig = Rig()
    rig.gas(50)
    rig.pipeline.acknowledge("gas.HH", LI)
    raised, acknowledged = [event for event in rig.recorder.events if event.subject == "gas.HH"]
    assert raised.zone == "boiler-room" and raised.data["value"] == 50 and raised.data["limit"] == 40
    assert raised.data["inputs"] == [
        {
            "point": "room.gas",
            "value": 50,
            "quality": "good",
            "reason": None,
            "source_time": None,
            "received_at": rig.clock.now().utc.isoformat(),
            "evidence": None,
        }
    ]
    assert acknowledged.data["operator"] == {"name": "li", "via": "hmi", "note": "seen"}


def test_data_that_goes_missing_leaves_the_siren_sounding() -> None:
    rig = Rig()
    rig.gas(50)
    rig.clock.advance(60.0)
    rig.pipeline.sweep()
    assert rig.wanted()[0] == "modulated"
    rig.pipeline.ingest([Sample.bad("room.gas", "connection reset", rig.clock.now())])
    assert rig.wanted()[0] == "modulated"
    rig.gas(0)
    assert rig.wanted()[0] == "off"


def test_a_running_delay_is_saved_without_an_event() -> None:
    rig = Rig()
    rig.gas(25)
    assert rig.recorder.events == [] and [alarm.id for alarm in rig.recorder.alarms] == ["gas.H"]
    assert rig.pipeline.next_due_s() == rig.clock.now().mono_s + 2.0


def test_a_test_of_the_outputs_is_marked_and_ends_by_itself() -> None:
    rig = Rig()
    rig.pipeline.test_outputs(3.0, ["siren"], LI)
    assert rig.wanted()[0] == "on" and all(event.test for event in rig.recorder.events)
    assert rig.pipeline.next_due_s() == rig.clock.now().mono_s + 3.0
    rig.clock.advance(3.0)
    rig.pipeline.timers()
    assert rig.wanted()[0] == "off"
    with pytest.raises(KeyError, match="horn"):
        rig.pipeline.test_outputs(3.0, ["horn"], LI)


def test_who_listens_hears_each_change_once_and_that_a_point_went_stale() -> None:
    rig, first, second = Rig(), list[Sample](), list[Sample]()
    rig.pipeline.heard += [first.extend, second.extend]
    rig.gas(25)
    rig.gas(25)
    rig.clock.advance(3.5)
    rig.pipeline.sweep()
    rig.pipeline.sweep()
    rig.gas(25)
    assert [sample.value for sample in first] == [25, None, 25] and first == second
    rig.clock.advance(3.5)
    rig.pipeline.acknowledge("gas.HH", LI)
    rig.pipeline.sweep()
    assert [sample.value for sample in first] == [25, None, 25, None], "also what an acknowledgement found to be stale"
