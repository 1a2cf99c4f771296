from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from agent.core.calendars import Calendar
from agent.core.document import Document
from agent.core.errors import ConfigError
from agent.core.model import PointInfo, Priority
from rules.files import LIBRARY, library_names, rule_closure
from rules.kinds.level import LevelCondition
from rules.loading import load_rules
from rules.rule import Rule

POINTS = {id_: PointInfo(id_, "%") for id_ in ("farm.l1", "farm.l2", "press.running")}

TANK = """
templates:
  tank:
    parameters:
      tank: name
      level: point
      title: text
      high: {type: number, default: 85}
      low: {type: number, default: null}
      latch: {type: boolean, default: false}
      priority: {type: priority, default: P3}
      delay: {type: duration, default: 2s}
      outputs: {type: list, default: null}
      zone: {type: string, default: ""}
    rules:
      - id: $(tank).level
        kind: level
        input: $(level)
        limits: {L: {at: $(low~), priority: P4}, H: {at: $(high), priority: $(priority), latch: $(latch)}}
        on_delay: $(delay)
        outputs: $(outputs)
        zone: $(zone)
        name: {en: "Level of $(title)", zh: "$(title)液位"}
      - id: $(tank).above
        kind: condition
        inputs: {level: $(level)}
        when: level + 1.0 > $(high)
        priority: P4
        name: "$(title) above $(high) %"
"""


def load(tmp_path: Path, text: str, **more: object) -> dict[str, Rule]:
    (tmp_path / "rules.yaml").write_text(TANK + text, encoding="utf-8")
    loaded = load_rules([tmp_path / "rules.yaml"], POINTS, ("siren",), **more)  # type: ignore[arg-type]
    return {rule.definition.id: rule for rule in loaded}


def test_values_keep_their_types_and_stand_within_texts(tmp_path: Path) -> None:
    rules = load(
        tmp_path,
        "rules: [{use: tank, with: {tank: tk1, level: farm.l1, title: {en: Acid, zh: 酸罐}, high: 80, latch: true,"
        " priority: P2, delay: 5s, outputs: [siren]}}]",
    )
    high = rules["tk1.level.H"]
    assert isinstance(high.condition, LevelCondition) and high.condition.at == 80
    assert high.timing.latch and high.timing.on_delay_s == 5 and high.definition.priority is Priority.P2
    assert high.definition.outputs == ("siren",)
    assert high.definition.name == {"en": "Level of Acid: high", "zh": "酸罐液位: 偏高"}
    assert rules["tk1.above"].definition.name == {"en": "Acid above 80 %"}
    assert "level + 1.0 > 80.0" in rules["tk1.above"].describe()  # CEL would refuse to compare with the sum otherwise


def test_what_has_no_value_is_left_out(tmp_path: Path) -> None:
    rows = "{tank: tk1, level: farm.l1, title: A}, {tank: tk2, level: farm.l2, title: B, low: 5}"
    rules = load(tmp_path, f"rules: [{{use: tank, for_each: [{rows}]}}]")
    assert set(rules) == {"tk1.level.H", "tk1.above", "tk2.level.L", "tk2.level.H", "tk2.above"}
    assert rules["tk1.level.H"].definition.outputs is None


def test_rows_go_before_what_they_have_in_common(tmp_path: Path) -> None:
    rows = "{tank: tk1, level: farm.l1}, {tank: tk2, level: farm.l2, high: 70}"
    rules = load(tmp_path, f"rules: [{{use: tank, with: {{title: A, high: 90}}, for_each: [{rows}]}}]")
    assert [rules[f"tk{n}.level.H"].definition.limit for n in (1, 2)] == [90, 70]


def test_a_table_serves_as_well(tmp_path: Path) -> None:
    (tmp_path / "tanks.csv").write_text(
        'tank,level,title,high,latch,outputs\ntk1,farm.l1,"Acid, strong",80.5,,siren\n\ntk2,farm.l2,101,,true,\n',
        encoding="utf-8-sig",
    )
    rules = load(tmp_path, "rules: [{use: tank, for_each: {file: tanks.csv}}]")
    assert [rules[f"tk{n}.level.H"].definition.limit for n in (1, 2)] == [80.5, 85]
    assert [rules[f"tk{n}.level.H"].definition.latch for n in (1, 2)] == [False, True]
    assert rules["tk1.above"].definition.name["en"] == "Acid, strong above 80.5 %"
    assert rules["tk1.level.H"].definition.outputs == ("siren",)


def test_a_file_that_two_include_is_read_once(tmp_path: Path) -> None:
    (tmp_path / "common.yaml").write_text(
        "rules: [{id: c, kind: condition, name: C, priority: P4, inputs: {x: press.running}, when: x}]"
    )
    for name in ("a", "b"):
        (tmp_path / f"{name}.yaml").write_text("include: [common.yaml]\nrules: []\n")
    paths = [tmp_path / "a.yaml", tmp_path / "b.yaml"]
    assert [rule.definition.id for rule in load_rules(paths, POINTS, ())] == ["c"]
    assert {path.name for path in rule_closure(tuple(paths))} == {"a.yaml", "b.yaml", "common.yaml"}


def test_a_template_is_seen_only_where_it_is_included(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(TANK)
    (tmp_path / "b.yaml").write_text("rules: [{use: tank}]")
    with pytest.raises(ConfigError, match="there is no template 'tank'"):
        load_rules([tmp_path / "a.yaml", tmp_path / "b.yaml"], POINTS, ())


def test_faults_of_all_files_come_at_once(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("include: [b.yaml]\nrules: [{use: tnk}]")
    (tmp_path / "b.yaml").write_text(TANK.replace("input: $(level)", "inptu: $(level)") + "rules: [{use: tank}]")
    with pytest.raises(ConfigError) as error:
        load_rules([tmp_path / "a.yaml", tmp_path / "nowhere.yaml"], POINTS, ())
    assert {Path(fault.file).name for fault in error.value.faults} == {"a.yaml", "b.yaml", "nowhere.yaml"}
    assert "did you mean 'tank'" in str(error.value) and "the parameter 'level' of 'tank' is missing" in str(
        error.value
    )


def test_a_fault_of_a_template_that_forty_use_is_told_once(tmp_path: Path) -> None:
    rows = "".join(f"    - {{tank: tk{n}, level: farm.l1, title: A}}\n" for n in range(40))
    (tmp_path / "a.yaml").write_text(
        TANK.replace("kind: level", "kind: levle") + f"rules:\n  - use: tank\n    for_each:\n{rows}"
    )
    with pytest.raises(ConfigError) as error:
        load_rules([tmp_path / "a.yaml"], POINTS, ())
    assert len(error.value.faults) == 1 and "with tank: tk0" in error.value.faults[0].message


NIGHT = "{id: n, kind: condition, name: N, priority: P4, inputs: {x: press.running}, when: x, armed: night}"


def test_calendars_are_the_files_own_or_the_sites_which_go_first(tmp_path: Path) -> None:
    text = f"calendars: {{night: {{from: '22:00', to: '06:00'}}}}\nrules: [{NIGHT}]"
    own = load(tmp_path, text, zone=ZoneInfo("Asia/Shanghai"))["n"].calendar
    assert own is not None and own.covers(datetime(2026, 3, 2, 15, tzinfo=UTC))  # 23:00 there
    site = Calendar("night", ())
    assert load(tmp_path, text, calendars={"night": site})["n"].calendar is site


def test_the_library_works_from_anywhere(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(
        "include: ['library:tank']\nrules: [{use: tank_level, with: {tank: a, level: farm.l1, title: A}}]"
    )
    assert "a.level.HH" in {rule.definition.id for rule in load_rules([tmp_path / "a.yaml"], POINTS, ())}
    assert {path.name for path in rule_closure((tmp_path / "a.yaml",))} == {"a.yaml", "tank.yaml"}


@pytest.mark.parametrize("name", library_names())
def test_every_template_of_the_library_speaks_to_people_in_both_languages(name: str) -> None:
    for template in Document.load(LIBRARY / f"{name}.yaml").data["templates"].values():
        assert template["description"] and template["parameters"]
        for rule in template["rules"]:
            assert {"name", "consequence", "response", "post"} <= set(rule)
            texts = [rule[key] for key in ("name", "consequence", "response") if isinstance(rule[key], dict)]
            assert all(set(text) == {"en", "zh"} for text in texts) and len(texts) >= 2
