"""``anshao rules``: tests, lists, descriptions, schemas and explanations."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rules.files import LIBRARY
from tests.cli.test_cli import anshao, view
from tests.view import FakeView

__all__ = ["view"]

SITE = """
gateway: {id: gw, site: works}
rules: [tanks.yaml]
calendars: {night: {from: "22:00", to: "06:00"}}
devices:
  farm: {protocol: simulated, points: {l1: {}, l2: {}}}
outputs: {}
"""
RULES = """
include: ["library:tank"]
rules:
  - use: tank_level
    for_each:
      - {tank: tk1, level: farm.l1, title: {en: Acid, zh: 酸罐}}
      - {tank: tk2, level: farm.l2, title: Base, high: null}
"""
TEST = """
rules: tanks.yaml
scenarios:
  - {name: full, steps: [{at: 0s, set: {farm.l1: 96}}, {at: 2s, expect: {tk1.level.HH: unacknowledged}}]}
"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    for name, text in (("site.yaml", SITE), ("tanks.yaml", RULES), ("tanks.test.yaml", TEST)):
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path / "site.yaml"


def test_the_tests_of_a_site_know_its_points(site: Path) -> None:
    code, text = anshao("rules", "test", str(site))
    assert code == 0 and "1 scenario(s), 0 failed" in text and "tanks.test.yaml:4: full" in text


def test_the_tests_of_a_rule_file_are_beside_it(tmp_path: Path) -> None:
    code, text = anshao("rules", "test", str(LIBRARY / "tank.yaml"))
    assert code == 0 and "5 scenario(s), 0 failed" in text


def test_what_fails_is_told_with_its_place(site: Path) -> None:
    test = site.with_name("tanks.test.yaml")
    test.write_text(TEST.replace("HH: unack", "H: unack"), encoding="utf-8")
    code, text = anshao("rules", "test", str(site))
    assert code == 1 and f"{test}:4:87: at 2s: tk1.level.H is normal, expected unacknowledged" in text
    told = json.loads(anshao("rules", "test", str(site), "--json")[1])
    assert not told["passed"] and told["scenarios"][0]["failures"][0]["line"] == 4


def test_a_file_with_faults_fails(site: Path) -> None:
    site.with_name("tanks.test.yaml").write_text(TEST.replace("tk1.level", "tk9.level"), encoding="utf-8")
    code, text = anshao("rules", "test", str(site))
    assert code == 1 and "there is no alarm 'tk9.level.HH'" in text and "1 fault(s) in files" in text


def test_no_scenario_is_no_success(site: Path) -> None:
    site.with_name("tanks.test.yaml").unlink()
    code, text = anshao("rules", "test", str(site))
    assert code == 1 and "has no scenarios; write them into tanks.test.yaml" in text


def test_list_and_describe(site: Path) -> None:
    code, text = anshao("rules", "list", str(site))
    assert code == 0 and "P1  Level of Acid: very high: farm.l1 at or above 95 (deadband 2) for 2s" in text
    assert "tk2.level.H " not in text and "farm.comms" in text
    code, text = anshao("rules", "describe", str(site), "tk1.level.HH", "--language", "zh")
    assert code == 0 and "酸罐液位: 过高" in text and "后果: 冒罐或泵抽空" in text and "可搁置: 不可" in text
    code, text = anshao("rules", "describe", str(site), "tk1.level.XX")
    assert code == 1 and "did you mean" in text
    rows = json.loads(anshao("rules", "list", str(site), "--json")[1])
    assert {"farm.data", "farm.comms"} <= {row["id"] for row in rows}
    assert next(row["parents"] for row in rows if row["id"] == "farm.data") == ["farm.comms"]


def test_the_schema_goes_into_a_file(tmp_path: Path) -> None:
    code, text = anshao("rules", "schema", "-o", str(tmp_path / "rules.json"))
    assert code == 0 and f"$schema={tmp_path / 'rules.json'}" in text.replace("\n", "")
    assert "templates" in json.loads((tmp_path / "rules.json").read_text())["properties"]
    assert "scenarios" in json.loads(anshao("rules", "schema", "scenarios")[1])["properties"]


def test_explain_and_why_not(view: FakeView) -> None:
    code, text = anshao("rules", "explain", "gas.HH")
    assert code == 0
    for words in ("room.gas at or above 40 %LEL", "unknown (timeout) (2 s ago), 41.5 uncertain (0.3 s ago)", "raised"):
        assert words in text
    assert "timers" not in text  # what there is nothing of is not told
    code, text = anshao("rules", "why-not", "gas.HH")
    assert code == 0 and "it is raised" in text
    code, text = anshao("rules", "why-not", "gas.H")
    assert code == 1 and "did you mean 'gas.HH'?" in text
    view.language = "zh"
    assert "最近采样" in anshao("rules", "explain", "gas.HH")[1]
