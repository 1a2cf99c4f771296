"""How quickly rules are tried on a recording, against those that run: a month of samples must not take a day."""

from __future__ import annotations

import math
import random
import tempfile
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from agent.app.backtest.occurrences import Occurrences
from agent.app.backtest.player import Player
from agent.core.model import Change, PointInfo, Quality, Sample
from agent.core.recording import Head, Recording, Writer
from agent.memory import calm_collector
from benchmarks.row import Row, row
from rules.engine import Engine
from rules.kinds.condition import ConditionOptions
from rules.kinds.level import LevelOptions
from rules.rule import Rule

POINTS, DEVICES, SECONDS, RULES, CEL_SHARE = 1000, 10, 1000, 200, 0.1
INFOS = {f"d{n % DEVICES}.p{n}": PointInfo(f"d{n % DEVICES}.p{n}", "bar", stale_after_s=3.0) for n in range(POINTS)}


def rows() -> list[Row]:
    """Return samples for each second of CPU: of a set alone, and of one against another."""
    calm_collector()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "plant.rec"
        _write(path)
        alone, raised = _play(path, [_rules(1.0)])
        both, _ = _play(path, [_rules(1.0), _rules(1.1)])
        assert raised > 100, "a plant where nothing happens proves nothing"
        return [
            row("replay: samples per second, one set of 200 rules", alone, "/s", least=200_000),
            row("replay: samples per second, against another set", both, "/s", least=200_000),
        ]


def _write(path: Path) -> None:
    """Write a plant of 10 devices that are polled once a second, each at a moment of its own."""
    random.seed(7)
    now = datetime.now(UTC)
    writer = Writer(path, Head(tuple(INFOS.values()), now), 0.0)
    for second in range(SECONDS):
        for device in range(DEVICES):
            writer.add(list(_poll(device, second, now)))
    writer.close()


def _poll(device: int, second: int, now: datetime) -> Iterator[Sample]:
    at_s = second + device / DEVICES + random.random() * 0.01
    for number in range(device, POINTS, DEVICES):
        wave = math.sin((second + number * 37) / 180)
        yield Sample(f"d{device}.p{number}", 50 + 40 * wave + random.random(), Quality.GOOD, now, at_s)


def _rules(share: float) -> list[Rule]:
    points, cel = list(INFOS), round(RULES * CEL_SHARE)
    made: list[LevelOptions | ConditionOptions] = [_cel(points[n], points[n + 1], share) for n in range(cel)]
    made += [_level(points[n], share) for n in range(cel, RULES)]
    return [rule for options in made for rule in options.compile(INFOS)]


def _level(point: str, share: float) -> LevelOptions:
    limits = {"H": {"at": 85 * share, "priority": "P3"}, "HH": {"at": 89 * share, "priority": "P1"}}
    fields = {"id": f"r.{point}", "name": point, "input": point, "limits": limits, "deadband": 1.0}
    return LevelOptions.model_validate(fields)


def _cel(point: str, other: str, share: float) -> ConditionOptions:
    when = f"a > {85 * share:.1f} && b > {60 * share:.1f}"
    fields = {"id": f"c.{point}", "name": point, "inputs": {"a": point, "b": other}, "when": when, "priority": "P2"}
    return ConditionOptions.model_validate(fields)


def _play(path: Path, sets: Sequence[Sequence[Rule]]) -> tuple[float, int]:
    recording = Recording(path)
    heard = [Occurrences({rule.definition.id: rule.definition for rule in rules}) for rules in sets]

    def hear(number: int, changes: Sequence[Change], now_s: float) -> None:
        heard[number].hear(changes, now_s)

    player = Player([Engine(rules) for rules in sets], recording.head.points, recording.head.started_at, hear)
    started_s = time.process_time()
    player.play(recording)
    took_s = time.process_time() - started_s
    return recording.samples / took_s, sum(heard[0].by_priority().values())
