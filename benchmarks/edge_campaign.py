"""Journal and uplink are killed again and again, their connections cut, their broker killed: what is lost or stuck?

``python -m benchmarks.edge_campaign [KILLS] [BROKER_KILLS] [SEED]``: several beside each other take other seeds.
"""

from __future__ import annotations

import asyncio
import random
import sys
import tempfile
import time
from asyncio.subprocess import PIPE
from pathlib import Path

from benchmarks.row import Row, row
from tests.drivers.rigs import Proxy
from tests.servers.mosquitto import mosquitto
from tests.servers.process import Server
from tests.servers.subscriber import Subscriber

KILLS, BROKER_KILLS = 200, 20
DRAIN_LIMIT_S = 60.0
IN_FLIGHT = 10
"""The window of the uplink: so many may arrive twice each time it is interrupted."""
_LIFE_S = (0.05, 0.5)
_CUT_S = (0.05, 0.6)


class Campaign:
    """One edge after another works on the same journal, with the same broker."""

    def __init__(self, folder: Path, broker: Server, proxy: Proxy, port: int, seed: int) -> None:
        self._folder, self._broker, self._proxy, self._port = folder, broker, proxy, port
        self._rng = random.Random(seed)
        self.kept: list[str] = []
        self.interrupted = 0

    async def live(self, limit_s: float | None = None) -> None:
        """Start an edge, and kill it after a moment (or ``limit_s``) at work."""
        edge = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.faults.edge", str(self._folder), str(self._port), stdout=PIPE
        )
        assert edge.stdout is not None
        first = await edge.stdout.readline()
        reading = asyncio.create_task(edge.stdout.read())
        try:
            await asyncio.sleep(limit_s or self._rng.uniform(*_LIFE_S))
        finally:
            edge.kill()
            lines = (first + await reading).decode().split("\n")[:-1]
            self.kept += [line.removeprefix("kept ") for line in lines if line.startswith("kept ")]
            await edge.wait()
            self.interrupted += 1

    async def cut(self) -> None:
        """Cut every connection, for ever."""
        while True:
            await asyncio.sleep(self._rng.uniform(*_CUT_S))
            self._proxy.cut()
            self.interrupted += 1

    def kill_broker(self) -> None:
        """kill -9, and start it again."""
        self._broker.kill()
        self._broker.start()
        self.interrupted += 1


def rows(kills: int = KILLS, broker_kills: int = BROKER_KILLS, seed: int = 0) -> list[Row]:
    """Return what arrived of what was kept."""
    with tempfile.TemporaryDirectory() as place:
        broker = mosquitto(Path(place))
        broker.start()
        try:
            return asyncio.run(_rows(Path(place), broker, kills, broker_kills, seed))
        finally:
            broker.kill()


async def _rows(folder: Path, broker: Server, kills: int, broker_kills: int, seed: int) -> list[Row]:
    proxy = Proxy(broker.port)
    async with proxy as port:
        with Subscriber(broker.port) as centre:
            campaign = Campaign(folder, broker, proxy, port, seed)
            await _suffer(campaign, kills, broker_kills)
            owed = set(campaign.kept)
            drained_s = await _drain(campaign, centre, owed)
        proxy.cut()
    arrived = [arrival.body["id"] for arrival in centre.events()]
    doubles = (len(arrived) - len(set(arrived))) / campaign.interrupted
    name = f"{kills} kills of the edge, {broker_kills} of the broker, {campaign.interrupted} interruptions"
    return [
        row(f"{name}: events kept", len(owed), ""),
        row(f"{name}: lost", len(owed - set(arrived)), "", most=0),
        row(f"{name}: drained after", drained_s, "s", most=DRAIN_LIMIT_S),
        row(f"{name}: doubles (same id) an interruption", doubles, "", most=IN_FLIGHT),
    ]


async def _suffer(campaign: Campaign, kills: int, broker_kills: int) -> None:
    cutting = asyncio.create_task(campaign.cut())
    every = kills // broker_kills if broker_kills else kills + 1
    for number in range(1, kills + 1):
        await campaign.live()
        if number % every == 0:
            await asyncio.to_thread(campaign.kill_broker)
    cutting.cancel()
    await asyncio.gather(cutting, return_exceptions=True)


async def _drain(campaign: Campaign, centre: Subscriber, owed: set[str]) -> float:
    """Let a last edge send what is left; return how long that took."""
    began_s = time.monotonic()
    last = asyncio.create_task(campaign.live(DRAIN_LIMIT_S))
    while owed - {arrival.body["id"] for arrival in centre.events()} and not last.done():
        await asyncio.sleep(0.1)
    took_s = time.monotonic() - began_s
    last.cancel()
    await asyncio.gather(last, return_exceptions=True)
    return took_s


if __name__ == "__main__":
    print(*rows(*map(int, sys.argv[1:])), sep="\n")
