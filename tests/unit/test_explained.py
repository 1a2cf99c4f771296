"""A device that is lost explains the alarms on missing data of its points, and no others."""

from __future__ import annotations

from pathlib import Path

from agent.app.plan import load_plan
from agent.core.clock import ManualClock
from agent.core.model import AlarmState, Sample
from agent.facts import FactTable
from rules.engine import Engine

SITE = """
gateway: {id: hall-3, site: works}
rules: [rules.yaml]
devices:
  plc: {protocol: simulated, points: {a: {}, b: {}}}
  other: {protocol: simulated, points: {c: {}}}
"""
RULES = """
rules:
  - {id: quiet, kind: stale, inputs: [plc.a, plc.b], after: 20s, priority: P4, name: Q}
  - {id: urgent, kind: stale, inputs: [plc.a], after: 20s, priority: P2, name: U}
  - {id: both, kind: stale, inputs: [plc.a, other.c], after: 20s, priority: P4, name: B}
  - {id: level, kind: level, input: plc.a, limits: {H: {at: 5, priority: P4}}, name: L}
"""


def test_it_suppresses_what_is_not_more_urgent(tmp_path: Path) -> None:
    (tmp_path / "site.yaml").write_text(SITE)
    (tmp_path / "rules.yaml").write_text(RULES)
    plan = load_plan(tmp_path / "site.yaml")
    parents = {rule.definition.id: rule.definition.parents for rule in plan.rules if rule.definition.parents}
    explained = {"quiet": ("plc.comms",), "urgent": ("plc.comms",)}
    assert parents == {**explained, "plc.data": ("plc.comms",), "other.data": ("other.comms",)}

    clock, facts, engine = ManualClock(), FactTable(plan.points.values()), Engine(plan.rules)
    good = [Sample.good(point, 1.0, clock.now()) for point in ("plc.a", "plc.b", "other.c")]
    good += [Sample.good("plc.online", True, clock.now()), Sample.good("other.online", True, clock.now())]
    engine.evaluate(facts, facts.update(good), clock.now())
    lost = [Sample.bad(point, "gone", clock.now()) for point in ("plc.a", "plc.b")]
    lost.append(Sample.good("plc.online", False, clock.now()))
    engine.evaluate(facts, facts.update(lost), clock.now())
    for _ in range(40):
        clock.advance(1.0)
        engine.sweep(facts, facts.expired(clock.now().mono_s), clock.now())
    states = {id_: alarm.state for id_, alarm in engine.standing.items()}
    assert states["plc.comms"] is AlarmState.UNACKNOWLEDGED and states["urgent"] is AlarmState.UNACKNOWLEDGED
    assert states["quiet"] is AlarmState.SUPPRESSED and engine.alarms["quiet"].active
    assert engine.alarms["level.H"].state is AlarmState.NORMAL
