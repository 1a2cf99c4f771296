"""What takes seconds of processor time to start is started once, for all tests that leave it as it was."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.drivers.rigs import Rig, node_opcua


@pytest.fixture(scope="session")
def opcua_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """The npm node-opcua server. Who kills it starts it again."""
    rig = node_opcua(tmp_path_factory.mktemp("node-opcua"))
    rig.server.start()
    yield rig
    rig.server.kill()
