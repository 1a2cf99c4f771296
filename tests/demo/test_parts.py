"""The demo's judgement: what it calls met, lost, out of order, and how it counts."""

from __future__ import annotations

import asyncio
import json
import os
import time
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from agent.demo.checks import Checklist
from agent.demo.delivery import Tally
from agent.demo.narrator import Narrator
from agent.demo.site import write_site
from agent.demo.subscriber import Received
from agent.demo.summary import Result, latency, percentile, show, write_json
from agent.demo.usage import CpuMeter, rss_mb
from agent.demo.world import World
from rules.language import RuleFile


def _event(lane: str, seq: int, id_: str = "") -> bytes:
    return json.dumps({"specversion": "1.0", "id": id_ or f"{lane}{seq}", "lane": lane, "seq": seq}).encode()


def test_a_failure_stays_and_what_was_not_run_is_neither() -> None:
    checks = Checklist({"a": "a holds", "b": "b holds", "c": "c holds"})
    assert checks.note("a", True, "first") is True
    checks.note("a", False, "second")
    checks.note("a", True, "third")
    checks.note("b", True, "first")
    checks.note("b", True, "second")
    assert [(one.name, one.ok, one.detail) for one in checks.results] == [
        ("a", False, "expected: a holds; second"),
        ("b", True, "second"),
        ("c", None, "not run: c holds"),
    ]
    assert checks.failed
    with pytest.raises(KeyError):
        checks.note("d", True, "")


def test_the_centre_knows_duplicates_and_disorder_within_a_lane() -> None:
    received = Received()
    for payload in (_event("alarm", 1), _event("state", 1), _event("alarm", 2), _event("alarm", 2), b"online", b"{}"):
        received.take(payload, {"replayed": "false", "age_s": "0.1"})
    assert (len(received.ids), received.duplicates, received.replayed, received.disorder()) == (3, 1, 0, [])
    received.take(_event("alarm", 4), {"replayed": "true", "age_s": "12.5"})
    received.take(_event("alarm", 3), {"replayed": "true", "age_s": "3"})
    assert received.disorder() == ["alarm: 2 is followed by 4", "alarm: 4 is followed by 3"]
    assert (received.replayed, received.oldest_s) == (2, 12.5)


def test_percentiles_are_of_values_that_were_measured() -> None:
    values = [float(value) for value in range(1, 101)]
    assert [percentile(values, percent) for percent in (50, 95, 99, 100)] == [50, 95, 99, 100]
    assert percentile([], 99) is None
    assert latency([30.04, 10, 20]) == {"n": 3, "p50": 20, "p95": 30, "p99": 30, "max": 30}


def test_the_result_has_the_agreed_form(tmp_path: Path) -> None:
    checks = Checklist({"a": "a holds"})
    result = Result(checks.results, 3, [50.0], Tally(10, 9, 1, 2), 5.0, 31.0, 88.5, 4.0)
    write_json(tmp_path / "deep" / "out.json", result)
    assert json.loads((tmp_path / "deep" / "out.json").read_text(encoding="utf-8")) == {
        "expectations": [{"name": "a", "ok": None, "detail": "not run: a holds"}],
        "siren_latency_ms": {"n": 1, "p50": 50.0, "p95": 50.0, "p99": 50.0, "max": 50.0},
        "events": {"journalled": 10, "delivered": 9, "lost": 1, "duplicated": 2},
        "vision": {"fps": 5.0, "cpu_percent": 31.0},
        "agent": {"rss_mb": 88.5, "cpu_percent": 4.0},
    }
    console = Console(record=True, width=100)
    show(console, result)
    text = console.export_text()
    assert "not run" in text
    assert "88.5 MB" in text


async def test_waiting_ends_with_the_news_or_with_the_limit() -> None:
    world = World()
    waiting = asyncio.create_task(world.until(lambda: world.siren, 5))
    await asyncio.sleep(0.05)
    world.plant({"event": "coil", "name": "siren", "on": True})
    took_s = await waiting
    assert took_s is not None
    assert took_s < 1
    assert await world.until(lambda: not world.siren, 0.1) is None


def _transition(action: str, state: str, **more: Any) -> dict[str, Any]:
    data = {"alarm_id": "gas.H", "action": action, "to_state": state, "priority": 1, "name": {"en": "Gas [1]"}}
    return {
        "type": "anshao.alarm.transition.v1",
        "data": {**data, "value": 47.25, "unit": "%LEL", "operator": None, **more},
    }


async def test_the_world_and_the_narrator_follow_the_daemon() -> None:
    console = Console(record=True, width=100)
    narrator, world = Narrator(console), World()
    for event in (
        _transition("raised", "unacknowledged"),
        _transition("acknowledged", "acknowledged", operator={"name": "Li", "via": "cli", "note": ""}),
    ):
        world.event(event)
        narrator.event(event)
    assert (world.state("gas.H"), world.is_active("gas.H"), world.raised) == ("acknowledged", True, 1)
    async with narrator.brief():
        narrator.event(_transition("raised", "unacknowledged"))
    text = console.export_text()
    assert text.count("raised (47.2 %LEL)") == 1
    assert "Gas [1] acknowledged by Li" in text


def test_usage_is_that_of_the_process() -> None:
    meter = CpuMeter(os.getpid())
    until_s = time.process_time() + 0.2
    while time.process_time() < until_s:
        pass
    own = meter.own()
    assert own is not None
    assert own > 5
    assert (rss_mb(os.getpid()) or 0) > 10
    assert (CpuMeter(2**22 + 1).own(), rss_mb(2**22 + 1)) == (None, None)


def test_the_site_has_200_boiler_points_and_no_gaps(tmp_path: Path) -> None:
    from agent.core.document import Document

    site = Document.load(write_site(tmp_path, 1502, 4840, 1883, 'a "b".mp4'))
    assert "$" not in (tmp_path / "site.yaml").read_text(encoding="utf-8")
    assert len(site.at(("devices", "boiler", "points"))) == 200
    assert site.at(("cameras", "gate", "source")) == 'a "b".mp4'
    rules, faults = Document.load(tmp_path / "rules.yaml").read(RuleFile)
    assert not faults
    assert rules is not None
    assert all({"en", "zh"} == set(rule["name"]) for rule in rules.rules)
