"""One press line for all: an OPC UA server in Python takes two seconds of processor time to start."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from tests.servers.process import Server, free_port


class Press(Server):
    """The demo's press line as a process that outlives a test."""

    def __init__(self) -> None:
        port = free_port()
        super().__init__([sys.executable, "-m", "agent.demo.press", str(port)], port)

    def freeze(self) -> None:
        self.hang()

    def thaw(self) -> None:
        self.wake()


@pytest.fixture(scope="session")
def _running() -> Iterator[Press]:
    press = Press()
    press.start()
    yield press
    press.kill()


@pytest.fixture
def press(_running: Press) -> Iterator[Press]:
    """The press line, which no test leaves frozen."""
    yield _running
    _running.thaw()
