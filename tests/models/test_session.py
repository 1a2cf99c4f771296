"""One life of a worker, where the worker is any process that talks to people."""

from __future__ import annotations

import asyncio
import sys

import pytest

from agent.core.clock import SystemClock
from agent.core.errors import NotConnected
from models.session import CameraSession

_DIES = "import sys; sys.stdin.readline(); sys.exit('no room for the network')"


async def _session(code: str) -> CameraSession:
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", code, stdin=pipe, stdout=pipe, stderr=pipe)
    return CameraSession(process, [], "gate", 20.0, SystemClock(), lambda _: None)


async def test_after_an_exchange_the_worker_at_work_is_the_one_whose_last_words_are_told() -> None:
    old, new = await _session("import sys; sys.stdin.readline()"), await _session(_DIES)
    await asyncio.sleep(0)  # both are listened to
    old.exchange(new)
    await new.end()
    old.accept()
    with pytest.raises(NotConnected, match="ended with status 1: no room for the network"):
        await old.read()
    await old.end()
