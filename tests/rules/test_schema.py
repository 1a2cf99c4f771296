"""The schema that editors complete from agrees with what the loader takes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

import rules
from agent.core.document import Document
from rules.files import LIBRARY
from rules.schema import rule_schema, scenario_schema
from tests.bad import HERE

RULES, SCENARIOS = Draft202012Validator(rule_schema()), Draft202012Validator(scenario_schema())
SHAPES = ("duration", "kind", "language", "priority", "unknown_key", "everything_at_once", "calendar")
"""Bad files whose fault is one of shape; the others only the loader can tell."""


def wrong(validator: Draft202012Validator, data: Any) -> list[str]:
    return [f"{list(error.absolute_path)}: {error.message}" for error in validator.iter_errors(data)]


def test_they_are_schemas() -> None:
    for validator in (RULES, SCENARIOS):
        Draft202012Validator.check_schema(validator.schema)
        assert validator.schema["$schema"].endswith("2020-12/schema")


@pytest.mark.parametrize("path", sorted(LIBRARY.glob("*.yaml")), ids=lambda path: path.name)
def test_every_file_of_the_library_is_valid(path: Path) -> None:
    assert wrong(SCENARIOS if path.name.endswith(".test.yaml") else RULES, Document.load(path).data) == []


@pytest.mark.parametrize("page", ["README.md", "kinds/README.md"])
def test_every_sample_of_the_documentation_is_valid(page: str) -> None:
    file = Path(rules.__file__).parent / page
    samples = re.findall(r"```yaml\n(.*?)```", file.read_text(encoding="utf-8"), re.DOTALL) if file.exists() else []
    for sample in samples:
        assert wrong(SCENARIOS if "scenarios:" in sample else RULES, Document("sample", sample).data) == []


@pytest.mark.parametrize("name", SHAPES)
def test_what_has_a_wrong_shape_is_not(name: str) -> None:
    assert wrong(RULES, Document.load(HERE / "rules" / f"{name}.bad.yaml").data)


def test_nor_is_a_scenario() -> None:
    assert len(wrong(SCENARIOS, Document.load(HERE / "scenarios" / "shape.bad.yaml").data)) >= 5


def test_a_rule_without_a_kind_and_a_template_without_rules_are_not() -> None:
    assert wrong(
        RULES, {"rules": [{"id": "a", "name": "A", "input": "a.b", "limits": {"H": {"at": 1, "priority": "P1"}}}]}
    )
    assert wrong(RULES, {"templates": {"a": {"rules": []}}})


def test_fields_are_described() -> None:
    level = rule_schema()["$defs"]["LevelOptions"]
    assert level["description"] and level["properties"]["group"]["description"]
    assert level["properties"]["kind"] == {"const": "level"} and "kind" in level["required"]
