from __future__ import annotations

from pathlib import Path

import pytest

import rules
from rules.scenario import run_file

LIBRARY = Path(rules.__file__).parent / "library"
TESTS = sorted(LIBRARY.glob("*.test.yaml"))


@pytest.mark.parametrize("path", TESTS, ids=lambda path: path.name)
def test_every_scenario_of_the_library(path: Path) -> None:
    results = dict(run_file(path))
    assert results
    assert {name: failures for name, failures in results.items() if failures} == {}


def test_every_rule_of_the_library_has_scenarios() -> None:
    files = {path.name for path in LIBRARY.glob("*.yaml") if not path.name.endswith(".test.yaml")}
    assert files == {path.name.replace(".test", "") for path in TESTS}


def test_a_scenario_can_fail(tmp_path: Path) -> None:
    (tmp_path / "gas.test.yaml").write_text(
        "include: ['library:gas']\npoints: {room.gas: ''}\n"
        "rules: [{use: combustible_gas, with: {id: gas, input: room.gas}}]\nscenarios:\n"
        "  - {name: wrong, steps: [{at: 1s, set: {room.gas: 50}, expect: {gas.HH: normal}}]}\n"
    )
    failures = dict(run_file(tmp_path / "gas.test.yaml"))
    assert failures == {"wrong": [f"{tmp_path}/gas.test.yaml:5:74: at 1s: gas.HH is unacknowledged, expected normal"]}
