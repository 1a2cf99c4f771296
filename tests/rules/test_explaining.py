"""What is told of an alarm, in every way in which it may stand."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from agent.core.calendars import Calendar
from agent.core.model import Instant, Operator, PointInfo, Sample
from rules import explaining
from rules.engine import Engine
from rules.loading import load_rules
from rules.playing import TestFacts

POINTS = {id_: PointInfo(id_, unit) for id_, unit in (("room.gas", "%LEL"), ("press.run", ""), ("cell.persons", ""))}
RULES = """
rules:
  - {id: gas, kind: level, input: room.gas, limits: {H: {at: 20, priority: P3}, HH: {at: 40, priority: P1}}, name: G}
  - id: person
    kind: condition
    inputs: {run: press.run, persons: cell.persons}
    when: run && persons > 0
    priority: P2
    on_delay: 1s
    armed: night
    escalate: [{after: 60s, post: chief}]
    name: P
"""
START = datetime(2026, 3, 2, 12, tzinfo=UTC)
LI = Operator("li", "hmi", "gauge is mended")


class Plant:
    def __init__(self, tmp_path: Path, calendar: Calendar) -> None:
        (tmp_path / "a.yaml").write_text(RULES)
        self.engine = Engine(load_rules([tmp_path / "a.yaml"], POINTS, None, calendars={"night": calendar}))
        self.facts, self.now = TestFacts(POINTS), Instant(100.0, START)

    def set(self, at_s: float, **values: object) -> None:
        self.now = Instant(100.0 + at_s, START.replace(second=int(at_s)))
        names = {"gas": "room.gas", "run": "press.run", "persons": "cell.persons"}
        samples = [
            Sample.good(names[name], value, self.now)  # type: ignore[arg-type]
            if value is not None
            else Sample.bad(names[name], "timeout", self.now)
            for name, value in values.items()
        ]
        self.facts.put(samples)
        self.engine.evaluate(self.facts, samples, self.now)

    def why_not(self, alarm: str) -> str:
        return "\n".join(explaining.why_not(self.engine.slots[alarm], self.facts, self.now))

    def all(self, alarm: str) -> str:
        slot = self.engine.slots[alarm]
        parts = (
            explaining.rule_lines(slot),
            explaining.state_lines(slot, self.now),
            explaining.input_lines(slot, self.facts, self.now),
            explaining.timer_lines(slot, self.now),
            explaining.removal_lines(slot, self.now),
        )
        return "\n".join(line for part in parts for line in part)


@pytest.fixture
def plant(tmp_path: Path) -> Plant:
    return Plant(tmp_path, Calendar("night", (), UTC))


def always(tmp_path: Path) -> Plant:
    found = Plant(tmp_path, Calendar("night", (), UTC))
    found.engine.slots["person"].is_guarded = False
    return found


def test_how_far_a_value_is_from_its_limit(plant: Plant) -> None:
    plant.set(0, gas=12.5)
    assert "room.gas must rise by 7.5 %LEL to reach 20 %LEL" in plant.why_not("gas.H")


def test_never_read_and_lost(plant: Plant) -> None:
    plant.set(0, run=True)
    assert "unknown never raises" in plant.why_not("gas.H") and "was never read" in plant.why_not("gas.H")
    plant.set(1, gas=30)
    plant.set(2, gas=None)
    assert "on-delay is frozen with 1.0 s left" in plant.why_not("gas.H")
    assert "room.gas is unknown (timeout)" in plant.why_not("gas.H")


def test_a_delay_that_runs(plant: Plant) -> None:
    plant.set(0, gas=30)
    plant.set(1, run=False)
    assert "on-delay runs, 1.0 s left" in plant.why_not("gas.H")
    plant.set(2)
    assert plant.why_not("gas.H").startswith("it does call: unacknowledged")


def test_the_more_severe_limit_stands_for_it(plant: Plant) -> None:
    plant.set(0, gas=50)
    plant.set(3, gas=50)
    assert "superseded: gas.HH" in plant.why_not("gas.H")


def test_which_part_of_a_condition_is_false(tmp_path: Path) -> None:
    plant = always(tmp_path)
    plant.set(0, run=True, persons=0)
    told = plant.why_not("person")
    assert "run is true" in told and "persons > 0 is false" in told and "cell.persons = 0, good" in told
    plant.set(1, persons=None)
    assert "persons > 0 is unknown" in plant.why_not("person")


def test_a_calendar_that_does_not_cover_the_moment(plant: Plant) -> None:
    plant.set(0, run=True, persons=1)
    plant.set(1)
    told = plant.why_not("person")
    assert "suppressed by design" in told and "not armed: outside of night" in told
    assert "calendar night does not cover this moment" in told


def test_what_people_did(tmp_path: Path) -> None:
    plant = always(tmp_path)
    plant.set(0, run=True, persons=1)
    plant.set(1)
    assert "calls chief in 1min if nobody acknowledges" in plant.all("person")
    plant.set(11)
    plant.engine.acknowledge("person", LI, plant.now)
    assert "acknowledged just now" in plant.all("person") and "by li: gauge is mended" in plant.all("person")
    plant.engine.shelve("person", 600.0, LI, plant.now)
    assert "shelved by li" in plant.why_not("person") and "10min left" in plant.why_not("person")
    plant.engine.take_out("person", "wang", LI, plant.now)
    assert "out of service by li and wang" in plant.all("person")
    assert "for itself it is acknowledged" in plant.all("person")
