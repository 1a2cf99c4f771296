from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from agent.core.model import PointInfo, Priority
from rules.loading import load_rules
from rules.story import load_scenarios
from tests.bad import HERE, expected, found

POINTS = {id_: PointInfo(id_) for id_ in ("boiler.gas", "press.running")}


def rings(priority: Priority, outputs: Sequence[str]) -> bool:
    """P1 needs the siren here."""
    return priority is not Priority.P1 or "siren" in outputs


@pytest.mark.parametrize("path", sorted((HERE / "rules").glob("*.bad.yaml")), ids=lambda path: path.name)
def test_a_mistake_is_named_with_its_place_and_its_remedy(path: Path) -> None:
    assert found(lambda: load_rules([path], POINTS, ("siren", "lamp"), attracts=rings), path) == expected(path) != []


@pytest.mark.parametrize("path", sorted((HERE / "scenarios").glob("*.bad.yaml")), ids=lambda path: path.name)
def test_a_mistake_in_a_scenario_is_named_with_its_place(path: Path) -> None:
    assert found(lambda: load_scenarios(path), path) == expected(path) != []
