"""A camera on Debian's GStreamer RTSP server: it is killed, comes back, freezes, and asks for a password."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.models.cameras import YARD, camera, connected, is_blind, read_until, sees
from tests.servers.process import Server
from tests.servers.rtsp import rtsp

pytestmark = pytest.mark.server
TIMEOUT_S = 2.0


@pytest.fixture
def server() -> Iterator[Server]:
    made = rtsp(YARD)
    made.start()
    yield made
    made.kill()


async def test_a_stream_is_seen_lost_and_seen_again(server: Server) -> None:
    async with connected(camera(f"rtsp://127.0.0.1:{server.port}/cam", timeout=TIMEOUT_S)) as session:
        await read_until(session, lambda facts: (facts["gate.no_helmet"].value or 0) != 0)
        server.kill()
        facts = await read_until(session, is_blind, limit_s=6)
        assert str(facts["gate.persons"].reason).startswith("camera blind: ")
        server.start()
        await read_until(session, sees, limit_s=15)


async def test_a_frozen_server_makes_the_camera_blind_but_not_the_worker_silent(server: Server) -> None:
    """The library flushes an old picture out of its decoder when its time is over: it must not count as sight."""
    async with connected(camera(f"rtsp://127.0.0.1:{server.port}/cam", timeout=3.0)) as session:
        await read_until(session, sees)
        server.hang()
        await read_until(session, is_blind, limit_s=3.0)
        until_s = time.monotonic() + 2.5
        await read_until(session, lambda facts: sees(facts) or time.monotonic() > until_s)
        assert time.monotonic() > until_s, "it saw again"


async def test_a_wrong_password_is_told_without_showing_it() -> None:
    server = rtsp(YARD, login="viewer:right")
    server.start()
    try:
        source = f"rtsp://viewer:wrong@127.0.0.1:{server.port}/cam"
        async with connected(camera(source, timeout=TIMEOUT_S)) as session:
            facts = await read_until(session, is_blind, limit_s=8)
        assert "refuses this user and password" in str(facts["gate.persons"].reason)
        assert "wrong" not in str(facts["gate.persons"].reason)
        async with connected(camera(source.replace("wrong", "right"), timeout=TIMEOUT_S)) as session:
            await read_until(session, sees)
    finally:
        server.kill()


async def test_a_server_that_is_not_there_is_told() -> None:
    port = rtsp(YARD).port
    async with connected(camera(f"rtsp://u:secret@127.0.0.1:{port}/cam", timeout=TIMEOUT_S)) as session:
        facts = await read_until(session, is_blind)
        assert facts["gate.persons"].reason == f"camera blind: 127.0.0.1:{port}: Connection refused"
