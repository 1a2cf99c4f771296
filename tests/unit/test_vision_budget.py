"""The budget of vision in the agent: who is urgent, who is told, and which alarms call."""

from __future__ import annotations

from pathlib import Path

from agent.app.plan import load_plan
from agent.app.vision import URGENT, VisionBudget, urgency
from agent.core.clock import ManualClock
from agent.core.model import Sample
from agent.facts import FactTable
from models.rationing import Load
from rules.engine import Engine

SITE = """
gateway: {id: hall-3, site: works}
vision: {cpu: 0.5}
cameras:
  gate: {source: "rtsp://10.0.0.2/sub"}
  yard: {source: "rtsp://10.0.0.3/sub", weight: 0.5}
rules: [rules.yaml]
"""
RULES = """
rules:
  - id: intruder
    kind: level
    input: gate.persons
    name: Somebody at the press
    limits: {H: {at: 1, priority: P1}}
"""


def engine_of(folder: Path) -> tuple[Engine, FactTable]:
    (folder / "site.yaml").write_text(SITE, encoding="utf-8")
    (folder / "rules.yaml").write_text(RULES, encoding="utf-8")
    plan = load_plan(folder / "site.yaml")
    return Engine(plan.rules), FactTable(plan.points.values())


def test_a_camera_that_a_p1_rule_reads_is_urgent(tmp_path: Path) -> None:
    engine, _ = engine_of(tmp_path)
    assert urgency(["gate", "yard"], engine.definitions.values()) == {"gate": URGENT, "yard": 1.0}


class Camera:
    """A worker that takes what a picture costs at the pace that it is granted."""

    def __init__(self, weight: float | None) -> None:
        self.asked, self.weight = 5.0, weight
        self.load: Load | None = None
        self.shadow_load: Load | None = None
        self.granted: list[float] = []

    def grant(self, pace: float) -> None:
        self.granted.append(pace)

    def work(self, cost_s: float, now_s: float) -> None:
        before = self.load or Load(0.0, 0.0, 0, 0.0)
        looked_s, judged = before.looked_s + 5 * cost_s, before.judged + 5
        self.load = Load(looked_s + 0.01 * judged, looked_s, judged, now_s)


def test_paces_are_handed_out_by_cost_and_urgency(tmp_path: Path) -> None:
    engine, _ = engine_of(tmp_path)
    clock, cameras = ManualClock(), {"gate": Camera(None), "yard": Camera(0.5)}
    budget = VisionBudget(0.5, cameras, lambda: engine, clock)
    for _ in range(30):
        clock.advance(1.0)
        for camera in cameras.values():
            camera.work(0.06, clock.now().mono_s)
        budget.look()
    gate, yard = (camera.granted[-1] for camera in cameras.values())
    assert 5.0 > gate > yard == 2.0
    assert 0.06 * (gate + yard) + 0.1 <= 0.5


def test_few_pictures_call_and_end(tmp_path: Path) -> None:
    engine, facts = engine_of(tmp_path)
    clock = ManualClock()

    def calling(granted: float, sparse: bool | None) -> set[str]:
        for _ in range(4):
            now = clock.now()
            told = {"fps_asked": 5.0, "fps_granted": granted}
            batch = [Sample.good(f"gate.{name}", value, now) for name, value in told.items()]
            bad = Sample.bad("gate.sparse", "no picture", now)
            facts.update([*batch, bad if sparse is None else Sample.good("gate.sparse", sparse, now)])
            engine.evaluate(facts, None, now)
            clock.advance(10.0)
        return {id_ for id_, alarm in engine.alarms.items() if alarm.active} & {"gate.rationed", "gate.sparse"}

    assert calling(4.6, False) == set()
    assert calling(4.0, False) == {"gate.rationed"}
    assert calling(1.5, True) == {"gate.rationed", "gate.sparse"}
    assert calling(0.0, None) == {"gate.rationed", "gate.sparse"}  # unknown clears nothing
    assert calling(5.0, False) == set()
