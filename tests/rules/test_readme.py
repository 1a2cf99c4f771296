from __future__ import annotations

import re
from pathlib import Path

import rules
from agent.core.model import PointInfo
from rules.loading import load_rules

README = Path(rules.__file__).parent / "README.md"
POINTS = {id_: PointInfo(id_) for id_ in ("boiler.gas", "press.running", "gate.no_helmet")}


def test_every_sample_loads(tmp_path: Path) -> None:
    samples = re.findall(r"```yaml\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    paths = [tmp_path / f"{index}.yaml" for index in range(len(samples))]
    for path, sample in zip(paths, samples, strict=True):
        path.write_text(sample, encoding="utf-8")
    loaded = load_rules(paths, POINTS, ("siren", "beacon_red"))
    assert {rule.definition.id for rule in loaded} == {"gas.H", "gas.HH", "bare_head_at_press"}
