from __future__ import annotations

from pathlib import Path

import pytest

from agent.config import load_site
from drivers import REGISTRY
from models import CAMERA
from tests.bad import HERE, expected, found


@pytest.mark.parametrize("path", sorted(HERE.glob("*.bad.yaml")), ids=lambda path: path.name)
def test_a_mistake_is_named_with_its_place_and_its_remedy(path: Path) -> None:
    assert found(lambda: load_site(path, REGISTRY, CAMERA), path) == expected(path) != []
