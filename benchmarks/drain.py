"""A gateway was offline for days: a million rows wait. How long does a live alarm take meanwhile, and how much memory?

``python -m benchmarks drain``, or ``python -m benchmarks.drain ROWS``. Nothing is throttled (``replay_rate``).
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from benchmarks.drain_edge import fill
from benchmarks.row import Row, row
from tests.servers.mosquitto import mosquitto

ROWS = 1_000_000
_SETTLED_S = 5.0
"""From here on memory must stay flat."""


class Centre:
    """Counts what arrives, and how long each alarm took. A context manager."""

    def __init__(self, port: int) -> None:
        self.seen: set[int] = set()
        self.doubles = 0
        self.latencies_s: list[float] = []
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
        self._client.on_connect = lambda client, *_: client.subscribe(
            "plant/+/+/evt/#", qos=0
        )  # of others this mosquitto saves each to disk
        self._client.on_message = self._take
        self._client.connect("127.0.0.1", port)

    def __enter__(self) -> Centre:
        self._client.loop_start()
        time.sleep(0.5)
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _take(self, _client: mqtt.Client, _data: Any, message: mqtt.MQTTMessage) -> None:
        now_ns, event = time.time_ns(), json.loads(message.payload)
        if event["lane"] == "alarm":
            self.latencies_s.append((now_ns - event["data"]["sent_ns"]) / 1e9)
            return
        self.doubles += event["seq"] in self.seen
        self.seen.add(event["seq"])


def rows(count: int = ROWS) -> list[Row]:
    """Return how it went."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        fill(folder, count)
        broker = mosquitto(folder)
        broker.start()
        try:
            with Centre(broker.port) as centre:
                lines = _drained(folder, broker.port)
                time.sleep(1.0)
        finally:
            broker.kill()
    return _told(count, centre, lines)


def _drained(folder: Path, port: int) -> list[list[float]]:
    command = [sys.executable, "-m", "benchmarks.drain_edge", str(folder), str(port)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return [[float(word) for word in line.split()[1:]] for line in done.stdout.splitlines() if line.startswith("at ")]


def _told(count: int, centre: Centre, lines: list[list[float]]) -> list[Row]:
    took_s, _, _, cpu_s = lines[-1]
    memory = [resident for at_s, _, resident, _ in lines if at_s >= _SETTLED_S] or [lines[-1][2]]
    name = f"drain of {count} rows"
    return [
        row(f"{name}: rows that did not arrive", count - len(centre.seen), "", most=0),
        row(f"{name}: rows that arrived twice", centre.doubles, "", most=0),
        row(f"{name}: rows a second", count / took_s, "1/s"),
        row(f"{name}: CPU", cpu_s / took_s * 100, "% of a core"),
        row(f"{name}: memory, largest", max(memory), "MB"),
        row(f"{name}: memory, growth", max(memory) - memory[0], "MB", most=10.0),
        row(
            f"{name}: live alarm to centre, longest of {len(centre.latencies_s)}",
            max(centre.latencies_s),
            "s",
            most=1.0,
        ),
    ]


if __name__ == "__main__":
    print(*rows(int(sys.argv[1]) if len(sys.argv) > 1 else ROWS), sep="\n")
