"""Journal against bare SQLite, uplink against bare paho, each pair in one run.

Journal and SQLite take turns, three each, and the turn with the median ratio is told: single ones vary by a third. Both
are handed what is ready; the events are made before the clock runs.
"""

from __future__ import annotations

import asyncio
import sqlite3
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from multiprocessing import get_context
from pathlib import Path

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from agent.core.clock import SystemClock
from agent.core.model import EventDraft, Lane
from agent.journal import Identity, Journal
from agent.uplink import Uplink, UplinkOptions
from benchmarks.row import Row, ratio_row
from tests.servers.mosquitto import mosquitto

WHO = Identity("bench", "works", "hall", "0")
EVENTS = 20_000
BATCH = 500
TURNS = 3


def rows() -> list[Row]:
    """Return the ratios."""
    with tempfile.TemporaryDirectory() as folder:
        turns = sorted((_turn(Path(folder), number) for number in range(TURNS)), key=lambda turn: turn[0] / turn[1])
        ours, bare = turns[TURNS // 2]
        drained, plain, same = _drain(Path(folder))
    return [
        ratio_row("journal: events on disk per second", ours, "1/s", bare, 0.8),
        ratio_row("uplink: drain of a backlog, over paho with bare bodies", drained, "1/s", plain, 0.8),
        ratio_row(
            "uplink: drain of a backlog, over paho with the same properties beside them", drained, "1/s", same, 0.8
        ),
    ]


def _turn(folder: Path, number: int) -> tuple[float, float]:
    """Return events a second of the journal, and of bare SQLite."""
    drafts = _drafts(EVENTS)
    ours_s = _timed(lambda: _journal(folder / f"journal-{number}.db", drafts))
    bare_s = _timed(lambda: _sqlite(folder / f"bare-{number}.db"))
    return EVENTS / ours_s, EVENTS / bare_s


def _timed(work: Callable[[], None]) -> float:
    started_s = time.perf_counter()
    work()
    return time.perf_counter() - started_s


def _drafts(count: int) -> list[EventDraft]:
    now, data = SystemClock().now(), {"value": 41.5, "unit": "%LEL", "text": "x" * 200}
    return [EventDraft("bench", Lane.ALARM, "gas.HH", data, now) for _ in range(count)]


def _journal(path: Path, drafts: Sequence[EventDraft]) -> None:
    with Journal(path, WHO, SystemClock()) as journal:
        journal.record(drafts, ())


def _sqlite(path: Path) -> None:
    """The same bytes a row and the same batches at the same durability, without chain, lanes and outbox."""
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = FULL")
    db.execute("CREATE TABLE event (seq INTEGER PRIMARY KEY AUTOINCREMENT, body BLOB)")
    for _ in range(EVENTS // BATCH):
        db.execute("BEGIN")
        db.executemany("INSERT INTO event (body) VALUES (?)", [(b"x" * 900,)] * BATCH)
        db.execute("COMMIT")
    db.close()


def _drain(folder: Path) -> tuple[float, float, float]:
    """Return rows a second of ours, of paho with bare bodies, and of paho with what stands beside ours."""
    broker = mosquitto(folder)
    port = broker.port
    listener = get_context("spawn").Process(target=_listen, args=(port,), daemon=True)
    try:
        broker.start()
        listener.start()
        time.sleep(1.5)
        count = 5_000
        plain = count / _timed(lambda: _paho(port, count, lambda: None))
        same = count / _timed(lambda: _paho(port, count, _beside))
        path = folder / "drain.db"
        _journal(path, _drafts(count))
        ours = count / asyncio.run(_uplink(path, port))
    finally:
        listener.kill()
        broker.kill()
    return ours, plain, same


def _listen(port: int) -> None:
    """Be who the messages are for; in a process of its own, or it would be measured as well."""
    client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
    client.on_connect = lambda client, *_: client.subscribe("#", qos=0)
    client.connect("127.0.0.1", port)
    client.loop_forever()


def _beside() -> Properties:
    properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
    properties.ContentType = "application/cloudevents+json"
    properties.UserProperty = [("replayed", "true"), ("age_s", "12.345"), ("attempt", "1")]
    return properties


def _paho(port: int, count: int, beside: Callable[[], Properties | None]) -> None:
    window, done = threading.Semaphore(10), threading.Event()
    left = count

    def acknowledged(*_: object) -> None:
        nonlocal left
        left -= 1
        window.release()
        if left == 0:
            done.set()

    client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
    client.on_publish = acknowledged
    client.connect("127.0.0.1", port)
    client.loop_start()
    for _ in range(count):
        window.acquire()
        client.publish("bench/evt", b"x" * 900, qos=1, properties=beside())
    done.wait(60)
    client.disconnect()
    client.loop_stop()


async def _uplink(path: Path, port: int) -> float:
    clock = SystemClock()
    with Journal(path, WHO, clock) as journal:
        uplink = Uplink(UplinkOptions(brokers=(f"mqtt://127.0.0.1:{port}",)), journal, WHO, clock)
        await journal.pending(1)
        started_s = time.perf_counter()
        task = asyncio.create_task(uplink.run())
        while uplink.status.sent < 5_000 and not task.done():
            await asyncio.sleep(0.01)
        took_s = time.perf_counter() - started_s
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
    return took_s
