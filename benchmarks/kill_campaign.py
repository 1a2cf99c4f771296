"""kill -9 of the agent at random moments while the broker comes and goes: what is lost, doubled, forgotten?

``python -m benchmarks.kill_campaign [KILLS]``; ``make bench`` runs 50 kills.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from agent.journal.envelope import Identity
from agent.journal.store import Store
from benchmarks.plant import Plant, running
from benchmarks.row import Row, row

KILLS = 50
DRAIN_LIMIT_S = 60.0
STANDING = {"oxygen.L": "acknowledged", "feedwater.H": "unacknowledged"}
"""Alarms that stand during the whole campaign; one of them has been acknowledged."""
_RULES = """
  - {id: oxygen, kind: level, input: boiler.oxygen, name: Oxygen, limits: {L: {at: 5, priority: P3}}}
  - {id: feedwater, kind: level, input: boiler.feedwater_temperature, name: Feed, limits: {H: {at: 90, priority: P2}}}
"""


def rows(kills: int = KILLS) -> list[Row]:
    """Return what the campaign found."""
    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(_campaign(Path(folder), kills))


async def _campaign(folder: Path, kills: int) -> list[Row]:
    async with running(folder, camera=False, more_rules=_RULES) as plant:
        await _stand(plant)
        flapping = asyncio.create_task(_flap(plant), name="broker flapping")
        pulsing = asyncio.create_task(_pulse(plant), name="pulsing")
        changed = 0
        for _ in range(kills):
            await asyncio.sleep(random.uniform(0.3, 2.5))
            os.kill(plant.agent.pid, signal.SIGKILL)
            await asyncio.sleep(random.uniform(0.0, 0.5))
            await plant.agent.stop()
            await plant.agent.start()
            await plant.until_up()
            changed += await _states(plant) != STANDING
        for task in (flapping, pulsing):
            task.cancel()
        await asyncio.gather(flapping, pulsing, return_exceptions=True)
        if not plant.broker.child.alive:
            await plant.broker.start()
        drained_s = await _drain(plant)
        await plant.agent.stop()
        journalled = _ids(folder / "state" / "journal.db")
        received = plant.centre.snapshot()
        return [
            row(f"{kills} kills: events journalled", len(journalled), ""),
            row(f"{kills} kills: events lost", len(set(journalled) - received.ids), "", most=0),
            row(f"{kills} kills: places out of order at the centre", len(received.disorder()), "", most=0),
            row(f"{kills} kills: duplicates, all with the same id", received.duplicates, ""),
            row(f"{kills} kills: drained after the broker's return", drained_s, "s", most=DRAIN_LIMIT_S),
            row(f"{kills} kills: alarm states changed by a kill", changed, "", most=0),
        ]


async def _stand(plant: Plant) -> None:
    """Wait for the standing alarms (the boiler's quiet values raise them), and acknowledge one."""
    async with asyncio.timeout(20.0):
        while set(await _states(plant)) != set(STANDING):
            await asyncio.sleep(0.1)
    await plant.ask("alarms/oxygen.L/acknowledge", operator="campaign", via="cli", note="")
    assert await _states(plant) == STANDING


async def _states(plant: Plant) -> dict[str, str]:
    alarms: list[dict[str, Any]] = await plant.ask("alarms?all=1")
    return {alarm["id"]: alarm["state"] for alarm in alarms if alarm["id"] in STANDING and alarm["state"] != "normal"}


async def _flap(plant: Plant) -> None:
    while True:
        await asyncio.sleep(random.uniform(1.0, 4.0))
        if plant.broker.child.alive:
            await asyncio.sleep(1.2)  # let it save: what mosquitto forgets is another campaign (docs/events.md)
            os.kill(plant.broker.child.pid, signal.SIGKILL)
            await plant.broker.stop()
        else:
            await plant.broker.start()


async def _pulse(plant: Plant) -> None:
    while True:
        for value in (1, 0):
            plant.boiler.send("set", point="emergency_button", value=value)
            await asyncio.sleep(random.uniform(0.15, 0.5))


async def _drain(plant: Plant) -> float:
    started_s = time.monotonic()
    async with asyncio.timeout(3 * DRAIN_LIMIT_S):
        while sum((await plant.ask("status"))["journal"]["pending"].values()) > 0:
            await asyncio.sleep(0.2)
    drained_s = time.monotonic() - started_s
    await asyncio.sleep(2.0)
    return drained_s


def _ids(journal: Path) -> list[str]:
    store = Store(journal, Identity("", "", "", ""))
    try:
        faults = list(store.verify())
        if faults:
            raise SystemExit(f"the journal is damaged: {faults[:3]}")
        return [event["id"] for event in store.events(10_000_000, 0, None)]
    finally:
        store.close()


if __name__ == "__main__":
    for each in rows(int(sys.argv[1]) if len(sys.argv) > 1 else KILLS):
        sys.stdout.write(f"{each['name']}: {each['value']:g} {each['unit']} {each['goal']} met={each['met']}\n")
