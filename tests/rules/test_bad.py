from __future__ import annotations

from pathlib import Path

import pytest

from agent.core.model import PointInfo
from rules.loading import load_rules
from tests.bad import HERE, expected, found

POINTS = {id_: PointInfo(id_) for id_ in ("boiler.gas", "press.running")}


@pytest.mark.parametrize("path", sorted((HERE / "rules").glob("*.bad.yaml")), ids=lambda path: path.name)
def test_a_mistake_is_named_with_its_place_and_its_remedy(path: Path) -> None:
    assert found(lambda: load_rules([path], POINTS, ("siren",)), path) == expected(path) != []
