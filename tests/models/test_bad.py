from __future__ import annotations

from pathlib import Path

import pytest

from agent.core.document import Document
from agent.core.errors import ConfigError
from models.bundle import Manifest
from tests.bad import HERE, expected, found


def read(path: Path) -> None:
    _, faults = Document.load(path).read(Manifest)
    if faults:
        raise ConfigError(faults)


@pytest.mark.parametrize("path", sorted((HERE / "models").glob("*.bad.yaml")), ids=lambda path: path.name)
def test_a_mistake_in_a_manifest_is_named_with_its_place_and_its_remedy(path: Path) -> None:
    assert found(lambda: read(path), path) == expected(path) != []
