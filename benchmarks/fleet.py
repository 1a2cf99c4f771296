"""How many gateways does one mosquitto take on this machine? docs/fleet.md explains what follows from it.

``python -m benchmarks.fleet [GATEWAYS …]``. The gateways share the machine with the broker, so that they are the
limit, not the broker: what the broker itself takes is measured with bare publishers.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from multiprocessing import Process
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
import psutil
from paho.mqtt.enums import CallbackAPIVersion

from benchmarks.row import Row, row
from tests.servers.mosquitto import mosquitto
from tests.servers.process import Server

STEPS = (50, 100, 200)
EVERY_S = 1.0
"""An event a second from each gateway, for ever: a plant that floods. A quiet one sends some dozens an hour."""
LATEST_S = 1.0
SAVING = {
    "saved one by one": ("set_tcp_nodelay true",),
    "saved every 10 s": ("autosave_on_changes false", "autosave_interval 10", "set_tcp_nodelay true"),
}
"""How a broker keeps what its subscribers have not taken yet. With the watermark (docs/uplink.md) seldom is enough."""
_MEASURE_S = 10.0
_PER_PROCESS = 50
_PUBLISHERS, _WINDOW = 4, 10


class Centre:
    """Counts what arrives, and how long it took; use as a context manager."""

    def __init__(self, port: int, topic: str) -> None:
        self.arrived = 0
        self.delays_s: list[float] = []
        self.gateways: set[str] = set()
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="fleet-centre", protocol=mqtt.MQTTv5)
        self._client.on_connect = lambda client, *_: client.subscribe(topic, qos=1)
        self._client.on_message = self._take
        self._client.connect("127.0.0.1", port)

    def __enter__(self) -> Centre:
        self._client.loop_start()
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def forget(self) -> None:
        """Begin anew."""
        self.arrived, self.delays_s, self.gateways = 0, [], set()

    def _take(self, _client: mqtt.Client, _data: Any, message: mqtt.MQTTMessage) -> None:
        self.arrived += 1
        if b"sent_ns" in message.payload:
            body = json.loads(message.payload)
            self.delays_s.append((time.time_ns() - body["data"]["sent_ns"]) / 1e9)
            self.gateways.add(body["source"])


def rows(steps: Sequence[int] = STEPS) -> list[Row]:
    """Return what each size of fleet sees, and what the broker takes."""
    found: list[Row] = []
    for gateways in steps:
        with _broker() as broker:
            found += asyncio.run(_fleet(broker, gateways))
    for how, lines in SAVING.items():
        with _broker(*lines) as broker:
            found += _capacity(broker, how)
    return found


@contextmanager
def _broker(*lines: str) -> Iterator[Server]:
    with tempfile.TemporaryDirectory() as place:
        broker = mosquitto(Path(place), *lines)
        broker.start()
        try:
            yield broker
        finally:
            broker.kill()


async def _fleet(broker: Server, gateways: int) -> list[Row]:
    with Centre(broker.port, "plant/+/+/evt/#") as centre:
        agents = [
            await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "benchmarks.fleet_agents"),
                *map(str, (broker.port, first, min(_PER_PROCESS, gateways - first), EVERY_S)),
                stdout=asyncio.subprocess.DEVNULL,
            )
            for first in range(0, gateways, _PER_PROCESS)
        ]
        try:
            async with asyncio.timeout(120.0):
                while len(centre.gateways) < gateways:
                    await asyncio.sleep(0.2)
            return await _measure(broker, centre, gateways)
        finally:
            for agent in agents:
                agent.kill()
                await agent.wait()


async def _measure(broker: Server, centre: Centre, gateways: int) -> list[Row]:
    assert broker.process is not None
    watched = psutil.Process(broker.process.pid)
    centre.forget()
    watched.cpu_percent()
    await asyncio.sleep(_MEASURE_S)
    name, busy = f"fleet of {gateways}, {1 / EVERY_S:g} event/s each", watched.cpu_percent()
    return [
        row(f"{name}: events at the centre", centre.arrived / _MEASURE_S, "1/s", least=0.95 * gateways / EVERY_S),
        row(f"{name}: recorded to centre, p99", statistics.quantiles(centre.delays_s, n=100)[98], "s", most=LATEST_S),
        row(f"{name}: mosquitto", busy, "% of a core"),
        row(f"{name}: mosquitto", watched.memory_info().rss / 1e6, "MB"),
    ]


def _capacity(broker: Server, how: str) -> list[Row]:
    """Return what the broker takes at QoS 1 from bare publishers, each with our window, for one subscriber."""
    assert broker.process is not None
    watched = psutil.Process(broker.process.pid)
    with Centre(broker.port, "bare/#") as centre:
        publishers = [Process(target=_publish, args=(broker.port,), daemon=True) for _ in range(_PUBLISHERS)]
        for publisher in publishers:
            publisher.start()
        time.sleep(2.0)
        centre.forget()
        watched.cpu_percent()
        time.sleep(_MEASURE_S)
        rate, busy = centre.arrived / _MEASURE_S, watched.cpu_percent()
        for publisher in publishers:
            publisher.kill()
    name = f"mosquitto, messages {how}: {_PUBLISHERS} bare publishers"
    return [row(name, rate, "1/s"), row(f"{name}, its load", busy, "% of a core")]


def _publish(port: int) -> None:
    """Publish for ever, in a process of its own: threads of one would wait for each other."""
    free = threading.Semaphore(_WINDOW)
    client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
    client.on_publish = lambda *_: free.release()
    client.connect("127.0.0.1", port)
    client.loop_start()
    while free.acquire():
        client.publish("bare/evt", b"x" * 900, qos=1)


if __name__ == "__main__":
    print(*rows([int(text) for text in sys.argv[1:]] or STEPS), sep="\n")
