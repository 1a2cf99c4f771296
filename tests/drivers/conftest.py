from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.drivers.rigs import Rig


@pytest.fixture(scope="module")
def real(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """A server that we did not write: the module's ``SERVER``, for all of its tests, or OPC UA's."""
    make = getattr(request.module, "SERVER", None)
    if make is None:
        yield request.getfixturevalue("opcua_server")
        return
    rig: Rig = make(tmp_path_factory.mktemp("server"))
    rig.server.start()
    yield rig
    rig.server.kill()
