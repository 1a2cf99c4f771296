"""A gateway was offline for days: a million rows wait. How long does a live alarm take meanwhile, and how much memory?

``python -m benchmarks drain``, or ``python -m benchmarks.drain ROWS``. The first minute goes at the default
``replay_rate``, and there an alarm must be quick. The rest is not throttled: it shows what the gateway does at its
limit, and that is more than our centre in Python can take, so alarms wait at the centre too.
"""

from __future__ import annotations

import json
import math
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from agent.uplink import UplinkOptions
from benchmarks.drain_edge import fill
from benchmarks.row import Row, row
from tests.servers.mosquitto import mosquitto

ROWS = 1_000_000
_SETTLED_S = 5.0
"""From here on memory must stay flat."""
_THROTTLED_S, _UNTHROTTLED = 60.0, 1_000_000


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
        folder, calm = Path(place) / "full", Path(place) / "calm"
        folder.mkdir()
        fill(folder, count)
        shutil.copytree(folder, calm)
        broker = mosquitto(Path(place))
        broker.start()
        try:
            with Centre(broker.port) as centre:
                _drained(calm, broker.port, UplinkOptions.model_fields["replay_rate"].default, _THROTTLED_S)
                throttled = _latency(f"{count} rows wait, default replay_rate", centre, 1.0)
            with Centre(broker.port) as centre:
                lines = _drained(folder, broker.port, _UNTHROTTLED)
                time.sleep(1.0)
        finally:
            broker.kill()
    return [throttled, *_told(count, centre, lines)]


def _latency(name: str, centre: Centre, most: float | None) -> Row:
    longest_s, count = max(centre.latencies_s), len(centre.latencies_s)
    return row(f"{name}: live alarm to centre, longest of {count}", longest_s, "s", most=most)


def _drained(folder: Path, port: int, rate: int, seconds: float = math.inf) -> list[list[float]]:
    command = [sys.executable, "-m", "benchmarks.drain_edge", str(folder), str(port), str(rate), str(seconds)]
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
        _latency(name, centre, None),
    ]


if __name__ == "__main__":
    print(*rows(int(sys.argv[1]) if len(sys.argv) > 1 else ROWS), sep="\n")
