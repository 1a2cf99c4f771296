from __future__ import annotations

import re
from pathlib import Path

import yaml

import rules.kinds
from agent.core.model import PointInfo
from rules.kinds import KINDS
from rules.kinds.discrepancy import DiscrepancyCondition
from rules.loading import load_rules

README = Path(rules.kinds.__file__).parent / "README.md"
TEXT = README.read_text(encoding="utf-8")
SAMPLES = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)
ELSEWHERE = {"level", "condition"}


def named_points(sample: str) -> list[str]:
    return re.findall(r"\b[a-z]+\.[a-z_]+\b", re.sub(r"#.*", "", sample))


def test_every_sample_loads_and_is_named_in_both_languages(tmp_path: Path) -> None:
    paths = [tmp_path / f"{index}.yaml" for index in range(len(SAMPLES))]
    for path, sample in zip(paths, SAMPLES, strict=True):
        path.write_text(sample, encoding="utf-8")
    points = {point: PointInfo(point, "u") for sample in SAMPLES for point in named_points(sample)}
    loaded = load_rules(paths, points, ("siren",))
    assert {rule.definition.kind for rule in loaded} == set(KINDS) - ELSEWHERE
    for rule in loaded:
        assert set(rule.definition.name) == {"en", "zh"} == set(rule.definition.response)
        assert rule.describe() and rule.definition.post


def test_the_keys_of_a_map_are_values_and_not_their_texts(tmp_path: Path) -> None:
    path = tmp_path / "rules.yaml"
    how = "{true: OPEN, 0: [CLOSED, closed], 2.5: HALF, AUTO: ANY}"
    path.write_text(
        "rules:\n  - {id: v, kind: discrepancy, command: v.c, feedback: v.s, travel: 8s, priority: P1, name: V, "
        f"agree: {how}}}\n"
    )
    (rule,) = load_rules([path], {point: PointInfo(point) for point in ("v.c", "v.s")}, ())
    assert isinstance(rule.condition, DiscrepancyCondition)
    assert rule.condition.agree == {True: ("OPEN",), 0: ("CLOSED", "closed"), 2.5: ("HALF",), "AUTO": ("ANY",)}


def test_every_kind_has_a_section_and_a_place_in_the_table() -> None:
    for kind in KINDS:
        assert f"\n## {kind.capitalize()}\n" in TEXT and f"| [`{kind}`](#{kind}) |" in TEXT
    samples = [rule["kind"] for sample in SAMPLES for rule in yaml.safe_load(sample)["rules"]]
    assert set(samples) == set(KINDS) - ELSEWHERE
