"""Files on their way to the centre: one at a time, and an alarm waits for one at most."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from agent.core.clock import SystemClock
from agent.core.model import EventDraft, Lane
from agent.uplink import Uplink, UplinkOptions
from tests.fakes import until
from tests.uplink.conftest import WHO, Gateway, until_empty
from tests.uplink.fake_broker import FakeBroker

pytestmark = pytest.mark.usefixtures("fast_backoff")


async def load(body: bytes) -> bytes:
    """Put a picture in, as slowly as a disk might."""
    await asyncio.sleep(0.01)
    return json.dumps({**json.loads(body), "data_base64": "A" * 50_000}).encode()


async def test_an_alarm_overtakes_the_files_that_wait(tmp_path: Path) -> None:
    broker, gateway = FakeBroker(lambda _: 0, delay_s=0.05), Gateway(tmp_path, 1)
    async with broker as port:
        options = UplinkOptions(brokers=(f"mqtt://127.0.0.1:{port}",))
        with gateway.journal:
            now = SystemClock().now()
            drafts = [EventDraft("evidence.file", Lane.EVIDENCE, str(index), {}, now) for index in range(20)]
            gateway.journal.record(drafts, ())
            await gateway.journal.settled()
            task = asyncio.create_task(Uplink(options, gateway.journal, WHO, SystemClock(), load).run())
            await until(lambda: len(broker.bodies) == 3)
            gateway.record("urgent")
            await until_empty(gateway)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
    subjects = [json.loads(body[body.index(b"{") :])["subject"] for body in broker.bodies]
    assert subjects.index("urgent") <= 4, "it waits for the file that is on its way, and for no other"
    assert [each for each in subjects if each != "urgent"] == [str(index) for index in range(20)]
    assert all(b"AAAA" in body for body in broker.bodies if b"urgent" not in body)
    assert broker.most_in_flight <= 2
