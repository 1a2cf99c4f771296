"""What takes seconds of processor time to start is started once, for all tests that leave it as it was."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.drivers.rigs import Rig, node_opcua
from tests.servers.mosquitto import mosquitto
from tests.servers.process import Server


@pytest.fixture(scope="session")
def opcua_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """The npm node-opcua server. Who kills it starts it again."""
    rig = node_opcua(tmp_path_factory.mktemp("node-opcua"))
    rig.server.start()
    yield rig
    rig.server.kill()


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Server]:
    """A mosquitto of the test's own: it is killed, and started again, at will."""
    folder = tmp_path / "broker"
    folder.mkdir()
    server = mosquitto(folder)
    server.start()
    yield server
    server.kill()


@pytest.fixture
def brokers(tmp_path: Path) -> Iterator[list[Server]]:
    """Two of them, where one takes over from the other."""
    made = []
    for name in ("first", "second"):
        folder = tmp_path / name
        folder.mkdir()
        made.append(mosquitto(folder))
        made[-1].start()
    yield made
    for each in made:
        each.kill()
