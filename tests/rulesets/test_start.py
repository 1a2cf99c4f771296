"""What runs after a start: the last good set, whatever became of the files; and what a set consists of."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future
from pathlib import Path

import pytest

from agent.app.plan import Plan, compile_rules, load_plan, read_site, starting_plan
from agent.app.rulesets.bundle import gather
from agent.app.rulesets.staging import stage
from agent.app.rulesets.store import Entry, RuleStore
from agent.app.wiring import Agent
from agent.core.errors import ConfigError
from agent.core.model import Alarm, AlarmState
from tests.rulesets.rig import gas, text

SITE = """
gateway: {id: gw, site: works, state: state}
rules: [rules.yaml]
devices:
  room: {protocol: simulated, points: {gas: {value: 1.0, unit: "%LEL"}, spare: {value: 2.0}}}
"""


def site(folder: Path, rules: str, content: str = SITE) -> Path:
    (folder / "site.yaml").write_text(content)
    (folder / "rules.yaml").write_text(rules)
    return folder / "site.yaml"


def ran(folder: Path, path: Path) -> RuleStore:
    """Return the store after this set has run."""
    store, bundle = RuleStore(folder / "state" / "rules"), gather(read_site(path).rules)
    store.keep(bundle)
    store.decide(store.current().applied(Entry(bundle.revision, "started", "now"), bundle.fingerprint))
    return store


def limit(plan: Plan) -> float | None:
    return next(rule.definition.limit for rule in plan.rules if rule.definition.id == "gas.H")


def start(path: Path, store: RuleStore) -> Plan:
    return starting_plan(read_site(path, absent_rules=True), store)


@pytest.mark.parametrize("broken", ["rules: [", None, text(gas()).replace("room.gas", "room.gaz")])
def test_with_broken_rules_the_last_good_set_runs(tmp_path: Path, broken: str | None) -> None:
    path = site(tmp_path, text(gas(at=20)))
    store = ran(tmp_path, path)
    (tmp_path / "rules.yaml").unlink() if broken is None else (tmp_path / "rules.yaml").write_text(broken)
    assert limit(start(path, store)) == 20
    with pytest.raises(ConfigError):
        load_plan(path)  # which is what 'anshao check' does


def test_without_a_last_good_set_it_does_not_start(tmp_path: Path) -> None:
    path = site(tmp_path, "rules: [")
    with pytest.raises(ConfigError, match=r"rules\.yaml:1"):
        start(path, RuleStore(tmp_path / "state" / "rules"))


def test_with_a_broken_site_it_does_not_start(tmp_path: Path) -> None:
    path = site(tmp_path, text(gas()))
    ran(tmp_path, path)
    site(tmp_path, text(gas()), SITE.replace("gateway", "gatewya"))
    with pytest.raises(ConfigError, match="unknown key 'gatewya'"):
        read_site(path, absent_rules=True)


def test_a_set_that_fits_the_site_no_longer_gives_way_to_the_files(tmp_path: Path) -> None:
    path = site(tmp_path, text(gas(at=20)))
    store = ran(tmp_path, path)
    site(tmp_path, text(gas(at=30)).replace("room.gas", "hall.gas"), SITE.replace("room:", "hall:"))
    assert limit(start(path, store)) == 30
    (tmp_path / "rules.yaml").write_text("rules: [")
    with pytest.raises(ConfigError, match=r"rules\.yaml:1"):
        start(path, store)


def test_with_the_last_set_spoiled_the_files_run_and_then_the_set_before(tmp_path: Path) -> None:
    path = site(tmp_path, text(gas(at=20)))
    ran(tmp_path, path)
    (tmp_path / "rules.yaml").write_text(text(gas(at=21)))
    store = ran(tmp_path, path)
    (tmp_path / "rules.yaml").write_text(text(gas(at=22)))
    assert limit(start(path, store)) == 21
    copy = tmp_path / "state" / "rules" / store.current().active / "files" / "rules.yaml"
    copy.write_text(text(gas(at=99)))
    assert limit(start(path, store)) == 22
    (tmp_path / "rules.yaml").write_text("rules: [")
    assert limit(start(path, store)) == 20


MORE = """
include: [more/templates.yaml, library:gas]
rules:
  - {use: one, for_each: {file: more/table.csv}}
"""
TEMPLATES = """
templates:
  one:
    parameters: {point: {type: point}, at: {type: number}}
    rules:
      - {id: $(point).high, kind: level, input: $(point), name: High, limits: {H: {at: $(at), priority: P3}}}
"""


def test_a_set_holds_what_it_includes_and_its_tables(tmp_path: Path) -> None:
    path = site(tmp_path, MORE)
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "templates.yaml").write_text(TEMPLATES)
    (tmp_path / "more" / "table.csv").write_text("point,at\nroom.gas,20\nroom.spare,30\n")
    found = read_site(path)
    bundle = gather(found.rules)
    assert set(bundle.files) == {"rules.yaml", "more/templates.yaml", "more/table.csv"}
    plan = load_plan(path)
    staged = stage(bundle, lambda paths: compile_rules(found, plan.points, paths), plan.rules)
    assert staged.faults == () and not staged.difference
    assert {"room.gas.high.H", "room.spare.high.H"} <= {rule.definition.id for rule in staged.rules}
    store = ran(tmp_path, path)
    (tmp_path / "more" / "table.csv").write_text("point,at\nroom.gas,25\n")
    assert gather(found.rules).revision != bundle.revision
    old = {rule.definition.id: rule.definition.limit for rule in start(path, store).rules}
    assert old["room.gas.high.H"] == 20 and old["room.spare.high.H"] == 30
    (tmp_path / "more" / "table.csv").unlink()
    assert list(gather(found.rules).missing) == ["more/table.csv"]


async def test_an_alarm_that_stood_and_has_no_rule_any_more_is_told_once(tmp_path: Path) -> None:
    path = site(tmp_path, text(gas()))
    plan, state = load_plan(path), tmp_path / "state"
    store = RuleStore(state / "rules")
    stood = [Alarm(id_, AlarmState.UNACKNOWLEDGED, active=True, occurrence="o") for id_ in ("gas.H", "gone.H")]
    for _ in range(2):
        agent = Agent(plan, state, tmp_path / "a.sock", store)
        with agent.journal as journal:
            journal.record([], stood)
            await journal.settled()
            await agent.restoring.at_start()
            await journal.settled()
            events = [each["data"] for each in await journal.events(100) if each["data"]["action"] == "alarms-removed"]
            assert [event["alarms"] for event in events] == [["gone.H"]]
            assert agent.pipeline.engine.alarms["gas.H"].active
        stood = []


async def test_alarms_are_taken_up_late_when_the_disk_hangs_at_the_start(tmp_path: Path) -> None:
    path = site(tmp_path, text(gas()))
    plan, state, answers = load_plan(path), tmp_path / "state", threading.Event()
    stood = [Alarm(id_, AlarmState.UNACKNOWLEDGED, active=True, occurrence="o") for id_ in ("gas.H", "gone.H")]
    agent = Agent(plan, state, tmp_path / "a.sock", RuleStore(state / "rules"))
    with agent.journal as journal:
        journal.record([], stood)
        await journal.settled()
        journal._calls.put((lambda _: answers.wait(30), Future()))
        await agent.restoring.at_start(limit_s=0.1)
        assert agent.restoring.is_late and not agent.pipeline.engine.standing
        late = asyncio.create_task(agent.restoring.run())
        await asyncio.sleep(0.2)
        assert agent.restoring.is_late
        answers.set()
        async with asyncio.timeout(10.0):
            while agent.restoring.is_late:
                await asyncio.sleep(0.01)
        assert not late.done(), "a task that returns is started again"
        late.cancel()
        assert agent.pipeline.engine.alarms["gas.H"].active and list(agent.pipeline.engine.standing) == ["gas.H"]
        await journal.settled()
        told = {each["data"]["action"]: each["data"]["alarms"] for each in await journal.events(100)}
        assert told == {"alarms-removed": ["gone.H"], "alarms-restored-late": ["gas.H"]}
