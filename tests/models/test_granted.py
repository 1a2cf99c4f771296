"""A real worker goes at the pace that it is granted, at once, and says what that is worth."""

from __future__ import annotations

import asyncio
import threading
import time

from agent.core.model import Quality
from models.pace import Pace
from models.session import SPARSE
from models.trust.pace import PaceWatch
from models.worker import PAUSED
from tests.models.cameras import YARD, camera, connected, is_blind, read_until, sees


async def test_a_worker_obeys_at_once_and_tells_what_its_facts_are_worth() -> None:
    driver = camera(YARD)
    async with connected(driver) as session:
        full = await read_until(
            session, lambda facts: sees(facts) and facts["gate.persons"].quality is Quality.GOOD, 20.0
        )
        assert full["gate.fps_asked"].value == full["gate.fps_granted"].value == 5.0
        assert full["gate.sparse"].value is False and driver.load is not None and driver.load.cpu_s > 0

        driver.grant(1.5)
        asked_s = time.monotonic()
        few = await read_until(session, lambda facts: facts["gate.fps_granted"].value == 1.5)
        assert time.monotonic() - asked_s < 1.5
        assert few["gate.sparse"].value is True
        assert few["gate.persons"].quality is Quality.UNCERTAIN and few["gate.persons"].reason == SPARSE

        driver.grant(0.0)
        paused = await read_until(session, is_blind)
        assert paused["gate.camera_ok"].reason == PAUSED
        assert paused["gate.persons"].quality is paused["gate.black"].quality is Quality.BAD
        inferred = paused["gate.inferred"].value
        await asyncio.sleep(1.0)
        still = await read_until(session, is_blind)
        assert still["gate.inferred"].value == inferred

        driver.grant(5.0)
        back = await read_until(session, sees)
        assert back["gate.persons"].quality is Quality.BAD  # nobody could be followed yet
        await read_until(session, lambda facts: facts["gate.persons"].quality is Quality.GOOD)


def test_who_waits_at_a_slow_pace_hears_of_a_quicker_one() -> None:
    pace = Pace(30.0)
    threading.Timer(0.1, pace.change, [0.05]).start()
    began_s = time.monotonic()
    pace.wait()
    assert time.monotonic() - began_s < 5.0


def test_who_goes_at_the_pace_that_it_was_granted_is_not_slow() -> None:
    watch = PaceWatch(5.0)
    watch.ask(2.0)
    assert not any(watch.is_slow(0.5 * step) for step in range(100))
    watch.ask(5.0)  # nobody is slow who was quickened a moment ago
    assert not any(watch.is_slow(50 + 0.2 * step) for step in range(100))
    assert [watch.is_slow(70 + 0.5 * step) for step in range(60)][-1]
