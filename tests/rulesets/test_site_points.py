"""Scenarios may lean on the site's points, when rules are swapped as when a person runs them."""

from __future__ import annotations

from pathlib import Path

from agent.app.rulesets import gather
from agent.app.rulesets.staging import stage
from rules.story import Surroundings
from tests.rulesets.rig import OUTPUTS, POINTS, compile_rules, gas, text

TEST = "rules: rules.yaml\nscenarios: [{name: it, steps: [{at: 0s, set: {room.gas: 25}, expect: {gas.H: STATE}}]}]\n"


def staged(folder: Path, state: str, site: Surroundings | None) -> list[str]:
    (folder / "rules.yaml").write_text(text(gas()))
    (folder / "rules.test.yaml").write_text(TEST.replace("STATE", state))
    found = stage(gather([folder / "rules.yaml"]), compile_rules, (), True, site)
    return [fault.message for fault in found.faults]


def test_the_site_lends_its_points(tmp_path: Path) -> None:
    site = Surroundings(POINTS, tuple(OUTPUTS), {})
    assert staged(tmp_path, "unacknowledged", site) == []
    assert staged(tmp_path, "normal", site) == ["scenario 'it': at 0s: gas.H is unacknowledged, expected normal"]
    assert "there is no point 'room.gas'; declare it" in staged(tmp_path, "normal", None)[0]
