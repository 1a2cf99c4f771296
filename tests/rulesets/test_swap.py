"""Rules edited, pushed and taken back while alarms stand in every state."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from agent.app.rulesets.bundle import pushed
from agent.core.model import AlarmState, Sample
from rules.difference import difference
from tests.rulesets.rig import LI, Rig, compile_rules, gas, text

ELSE = gas("other", 90, "P4")


async def test_a_pending_alarm_keeps_its_delay(tmp_path: Path) -> None:
    rig = Rig(tmp_path, gas(more="on_delay: 10s"))
    await rig.look()
    rig.gas(25)
    rig.wait(6)
    await rig.edit(gas(more="on_delay: 10s"), ELSE)
    rig.wait(3.9)
    assert not rig.alarm().active
    rig.wait(0.1)
    assert rig.alarm().active and rig.alarm().count == 1


async def test_a_firing_alarm_goes_on_under_a_changed_limit(tmp_path: Path) -> None:
    rig = Rig(tmp_path, gas())
    await rig.look()
    rig.gas(25)
    before = rig.alarm()
    await rig.edit(gas(at=22))
    assert rig.alarm().occurrence == before.occurrence and rig.siren == "on"
    assert rig.actions() == [("gas.H", "raised")]
    await rig.edit(gas(at=30))
    assert rig.actions()[1:] == [("gas.H", "returned")], "under the new limit it is over"


@pytest.mark.parametrize("state", ["acknowledged", "silenced", "shelved"])
async def test_what_people_did_stays_done(tmp_path: Path, state: str) -> None:
    rig = Rig(tmp_path, gas())
    await rig.look()
    rig.gas(25)
    if state == "shelved":
        changes = rig.pipeline.engine.shelve("gas.H", 600.0, LI, rig.clock.now())
        rig.pipeline._apply(changes, rig.clock.now())
    else:
        rig.pipeline.acknowledge("gas.H", LI) if state == "acknowledged" else rig.pipeline.silence(None, LI)
    before = rig.alarm()
    await rig.edit(gas(at=21, more="post: operator"))
    await rig.restart()
    assert rig.alarm() == replace(before, exceeded=rig.alarm().exceeded) and rig.siren == "off"
    if state == "shelved":
        rig.wait(601)
        assert rig.alarm().state is AlarmState.UNACKNOWLEDGED and rig.siren == "on"


async def test_a_shelf_ends_when_the_alarm_becomes_a_p1(tmp_path: Path) -> None:
    rig = Rig(tmp_path, gas())
    await rig.look()
    rig.gas(25)
    rig.pipeline._apply(rig.pipeline.engine.shelve("gas.H", 600.0, LI, rig.clock.now()), rig.clock.now())
    await rig.edit(gas(priority="P1"))
    assert rig.alarm().shelved is None and rig.siren == "on"
    assert rig.actions()[-1] == ("gas.H", "shelf-expired")


async def test_a_suppression_that_is_no_longer_designed_ends(tmp_path: Path) -> None:
    rig = Rig(tmp_path, gas(more="suppress: {inputs: {heat: room.heat}, when: heat > 5.0, longest: 1h}"))
    await rig.look()
    rig.pipeline.ingest([Sample.good("room.heat", 10.0, rig.clock.now())])
    rig.gas(25)
    assert rig.alarm().state is AlarmState.SUPPRESSED and rig.siren == "off"
    await rig.edit(gas())
    assert rig.alarm().state is AlarmState.UNACKNOWLEDGED and rig.siren == "on"
    assert rig.actions()[-1] == ("gas.H", "unsuppressed")


async def test_an_escalation_that_is_added_counts_from_the_call(tmp_path: Path) -> None:
    rig = Rig(tmp_path, gas())
    await rig.look()
    rig.gas(25)
    rig.wait(30)
    await rig.edit(gas(more="escalate: [{after: 1min, post: leader}]"))
    rig.wait(29.9)
    assert rig.alarm().escalated == 0
    rig.wait(0.1)
    assert rig.alarm().escalated == 1 and rig.actions()[-1] == ("gas.H", "escalated")
    await rig.edit(gas())
    assert rig.alarm().escalate is None and rig.alarm().active


async def test_the_less_severe_limit_takes_over_when_the_other_is_removed(tmp_path: Path) -> None:
    both = gas().replace("H: {at: 20, priority: P2}", "H: {at: 20, priority: P3}, HH: {at: 40, priority: P3}")
    rig = Rig(tmp_path, both)
    await rig.look()
    rig.gas(50)
    assert rig.alarm("gas.HH").active and not rig.alarm().active
    await rig.edit(gas(priority="P3"))
    assert rig.alarm().active and ("gas.HH", "removed") in rig.actions()
    assert rig.pipeline.annunciator.wanted["yellow"] == "flash"


async def test_what_was_left_for_the_next_look_is_looked_at(tmp_path: Path) -> None:
    both = gas().replace(
        "H: {at: 20, priority: P2}", "H: {at: 20, priority: P3}, HH: {at: 40, priority: P3, latch: true}"
    )
    rig = Rig(tmp_path, both)
    await rig.look()
    rig.gas(50)
    rig.gas(25)
    rig.pipeline.acknowledge("gas.HH", LI)  # it is reset, and the less severe limit comes back at the next look
    assert not rig.alarm().active
    await rig.edit(both, ELSE)
    assert rig.alarm().active


async def test_an_urgent_alarm_is_not_removed_in_passing(tmp_path: Path) -> None:
    rig = Rig(tmp_path, gas())
    await rig.look()
    rig.gas(25)
    await rig.edit(gas("renamed"))
    assert rig.siren == "on" and rig.sets.rejected is not None and not rig.sets.in_step
    assert rig.sets.rejected.reason.startswith("it would remove gas.H, active now")
    assert (await rig.push(gas("renamed"))).action == "rejected"
    rig.gas(5)
    await rig.look()
    assert rig.sets.in_step and "renamed.H" in rig.pipeline.engine.alarms, "taken as soon as it is over"


async def test_by_force_it_is_removed_and_told(tmp_path: Path) -> None:
    rig = Rig(tmp_path, gas())
    await rig.look()
    rig.gas(25)
    outcome = await rig.push(ELSE, force=True)
    assert next(iter(outcome.difference.lines())) == "- gas.H (P2): room.gas at or above 20 %LEL (active now)"
    assert rig.actions()[-1] == ("gas.H", "removed") and rig.siren == "off"
    assert rig.told("rules.change")[-1]["operator"] == {"name": "li", "via": "cli", "note": "because"}
    assert not rig.sets.in_step, "the files say something else"


BAD = {
    "no yaml": "rules: [",
    "half written": text(gas())[:40],
    "unknown point": text(gas()).replace("room.gas", "room.gaz"),
    "no rule": "rules:\n  - 5\n",
    "wrong kind": text(gas()).replace("level", "levle"),
    "bad cel": "rules:\n  - {id: c, kind: condition, inputs: {a: room.gas}, when: 'a >', priority: P2, name: C}\n",
    "twice": text(gas(), gas()),
    "empty": "",
    "not text": "\udcff",
}


@pytest.mark.parametrize("kind", BAD)
async def test_a_bad_set_changes_nothing_and_says_why(tmp_path: Path, kind: str) -> None:
    rig = Rig(tmp_path, gas())
    await rig.look()
    rig.gas(25)
    engine, revision = rig.pipeline.engine, rig.sets.active.revision
    rig.file.write_bytes(BAD[kind].encode(errors="surrogateescape"))
    await rig.look()
    await rig.look()
    assert rig.pipeline.engine is engine and rig.sets.active.revision == revision and rig.siren == "on"
    (told,) = rig.told("rules.change")
    assert told["action"] == "rejected" and told["faults"][0].startswith(f"{rig.file}:"), told
    assert not rig.sets.in_step
    await rig.restart()
    assert rig.sets.active.revision == revision and rig.siren == "on" and not rig.sets.in_step
    await rig.edit(gas())
    assert rig.sets.in_step and rig.sets.rejected is None


async def test_a_deleted_file_changes_nothing(tmp_path: Path) -> None:
    rig = Rig(tmp_path, gas())
    await rig.look()
    rig.gas(25)
    rig.file.unlink()
    await rig.look()
    assert rig.siren == "on" and rig.sets.rejected is not None
    assert str(rig.sets.rejected.faults[0]).endswith("cannot be read: No such file or directory")
    await rig.restart()
    assert rig.siren == "on"


async def test_files_that_come_and_go_beside_the_rules_are_in_nobodys_way(tmp_path: Path) -> None:
    rig = Rig(tmp_path, gas())
    await rig.look()
    rig.write(gas(at=22))
    for number in range(3):
        (tmp_path / f"{number}.log").write_text("")
        await rig.sets.look()
    assert rig.sets.active.rules[0].definition.limit == 22


async def test_a_file_that_is_still_written_is_left_alone(tmp_path: Path) -> None:
    rig = Rig(tmp_path, gas())
    await rig.look()
    whole = text(gas(at=22))
    for length in range(10, len(whole), 40):
        rig.file.write_text(whole[:length])
        await rig.sets.look()
    assert rig.sets.rejected is None and rig.sets.active.rules[0].definition.limit == 20
    await rig.edit(gas(at=22))
    assert rig.sets.active.rules[0].definition.limit == 22 and len(rig.told("rules.change")) == 1


async def test_a_set_whose_scenarios_fail_does_not_run(tmp_path: Path) -> None:
    steps = "{name: calls, steps: [{at: 0s, set: {room.gas: 25}}, {at: 1s, expect: {gas.H: unacknowledged}}]}"
    rig = Rig(tmp_path, gas())
    (tmp_path / "rules.test.yaml").write_text(
        f"rules: rules.yaml\npoints: {{room.gas: '%LEL'}}\nscenarios:\n  - {steps}\n"
    )
    await rig.look()
    await rig.edit(gas(at=22))
    assert rig.sets.in_step
    await rig.edit(gas(at=30))
    assert rig.sets.rejected is not None and rig.sets.active.rules[0].definition.limit == 22
    assert str(rig.sets.rejected.faults[0]) == (
        f"{tmp_path}/rules.test.yaml:4:83: scenario 'calls': at 1s: gas.H is normal, expected unacknowledged"
    )
    (tmp_path / "rules.test.yaml").write_text("rules: rules.yaml\nscenario: []\n")
    await rig.look()
    assert "unknown key 'scenario'" in str(rig.sets.rejected.faults)


async def test_rolled_back_twice_it_stays_so_until_the_files_change(tmp_path: Path) -> None:
    rig = Rig(tmp_path, gas(at=20))
    await rig.look()
    rig.gas(25)
    before = rig.alarm()
    await rig.edit(gas(at=21))
    await rig.edit(gas(at=22))
    for at in (21.0, 20.0):
        assert (await rig.sets.rollback(LI)).action == "rolled-back"
        await rig.restart()
        assert rig.sets.active.rules[0].definition.limit == at and not rig.sets.in_step
        assert rig.alarm().occurrence == before.occurrence and rig.siren == "on"
    assert (await rig.sets.rollback(LI)).reason == "there is no set before this one"
    await rig.edit(gas(at=23))
    assert rig.sets.in_step and rig.sets.active.rules[0].definition.limit == 23
    log = [entry.action for entry in (await rig.sets.history()).log]
    assert log == ["started", "applied", "applied", "rolled-back", "rolled-back", "applied"]


async def test_a_rehearsal_changes_nothing(tmp_path: Path) -> None:
    rig = Rig(tmp_path, gas())
    await rig.look()
    outcome = await rig.sets.push(pushed(["rules.yaml"], {"rules.yaml": text(gas(at=30))}), LI, rehearse=True)
    assert outcome.action == "tried" and rig.sets.in_step and rig.told("rules.change") == []
    (line,) = outcome.difference.changed
    assert line.words == ("condition room.gas at or above 20 %LEL → room.gas at or above 30 %LEL",)


async def test_a_rehearsal_refuses_what_a_push_would(tmp_path: Path) -> None:
    rig = Rig(tmp_path, gas(), gas("other"))
    await rig.look()
    rig.gas(25.0)
    bundle = pushed(["rules.yaml"], {"rules.yaml": text(gas("other"))})
    assert (await rig.sets.push(bundle, LI, rehearse=True)).reason.startswith("it would remove gas.H, active now")
    assert (await rig.sets.push(bundle, LI, rehearse=True, force=True)).action == "tried"
    assert rig.sets.in_step and rig.siren == "on"


async def test_events_carry_the_revision_that_ran(tmp_path: Path) -> None:
    rig = Rig(tmp_path, gas())
    await rig.look()
    first = rig.recorder.rules_revision
    await rig.edit(gas(at=30))
    assert rig.recorder.rules_revision == rig.sets.active.revision != first


def test_the_difference_is_told_in_words(tmp_path: Path) -> None:
    def rules(name: str, *each: str) -> object:
        (tmp_path / name).write_text(text(*each))
        return compile_rules([tmp_path / name])

    before = rules("a", gas(), gas("gone"), gas("same"))
    after = rules("b", gas(at=30, priority="P1", more="latch: true, on_delay: 3s"), gas("same"), gas("new"))
    found = difference(before, after)  # type: ignore[arg-type]
    assert list(found.lines()) == [
        "- gone.H (P2): room.gas at or above 20 %LEL",
        "+ new.H (P2): room.gas at or above 20 %LEL",
        "~ gas.H (P1): priority P2 → P1; condition room.gas at or above 20 %LEL → room.gas at or above 30 %LEL; "
        "on-delay none → 3s; latch no → yes; longest shelf 30min → never",
    ]
    assert found.same == 1
