from __future__ import annotations

import re
from pathlib import Path

import pytest

import rules
from agent.core.document import Document
from agent.core.model import PointInfo
from rules.files import LIBRARY, library_names
from rules.loading import load_rules
from rules.scenario import run_file

README = Path(rules.__file__).parent / "README.md"
TEXT = README.read_text(encoding="utf-8")
SAMPLES = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)
POINTS = {
    id_: PointInfo(id_)
    for id_ in ("boiler.gas", "press.running", "gate.no_helmet", "gate.persons", "store.door_open",
                "store.maintenance", "farm.l101", "farm.l102")
}  # fmt: skip


def test_every_sample_loads(tmp_path: Path) -> None:
    samples = [sample for sample in SAMPLES if "scenarios:" not in sample]
    paths = [tmp_path / f"{index}.yaml" for index in range(len(samples))]
    for path, sample in zip(paths, samples, strict=True):
        path.write_text(sample, encoding="utf-8")
    loaded = {rule.definition.id for rule in load_rules(paths, POINTS, ("siren", "beacon_red"))}
    assert loaded == {
        "gas.H", "gas.HH", "bare_head_at_press", "door", "tk101.level.H", "tk102.level.H", "tk102.level.L",
        "boiler_gas.H", "boiler_gas.HH", "press.person",
    }  # fmt: skip


@pytest.mark.parametrize("sample", [sample for sample in SAMPLES if "scenarios:" in sample])
def test_every_scenario_comes_true(tmp_path: Path, sample: str) -> None:
    (tmp_path / "a.test.yaml").write_text(sample, encoding="utf-8")
    assert [found for _, failures in run_file(tmp_path / "a.test.yaml") for found in failures] == []


@pytest.mark.parametrize("name", library_names())
def test_every_template_of_the_library_is_named(name: str) -> None:
    row = next(line for line in TEXT.splitlines() if line.startswith(f"| `{name}` |"))
    assert all(f"`{template}`" in row for template in Document.load(LIBRARY / f"{name}.yaml").data["templates"])
