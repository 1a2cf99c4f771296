"""The demo as a user runs it: every expectation met, nothing lost, nothing left behind."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agent.demo.broker import find_mosquitto
from agent.demo.plant import EMBEDDED

COMMAND = [sys.executable, "-m", "agent", "demo"]


def _environment() -> dict[str, str]:
    """Without pytest's own: NiceGUI, in the demo's page, would think that it is under test itself."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}


async def _run(tmp_path: Path, *arguments: str, limit_s: float, embedded: bool = False) -> tuple[int, str]:
    """Run the demo with a folder of its own for what it writes; return its exit status and what it said."""
    environment = {**_environment(), "TMPDIR": str(tmp_path), "COLUMNS": "160"}
    if embedded:
        environment[EMBEDDED] = "1"
    process = await asyncio.create_subprocess_exec(
        *COMMAND, *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT, env=environment
    )
    try:
        async with asyncio.timeout(limit_s):
            output, _ = await process.communicate()
    except TimeoutError:
        process.kill()
        raise
    assert process.returncode is not None
    return process.returncode, output.decode()


def _processes(tmp_path: Path) -> Iterator[tuple[int, str]]:
    """Yield pid and command line of each process that knows this test's folder."""
    for entry in Path("/proc").iterdir():
        try:
            line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode() if entry.name.isdigit() else ""
        except OSError:
            continue
        if str(tmp_path) in line:
            yield int(entry.name), line


def _left_behind(tmp_path: Path) -> list[str]:
    return [line for _, line in _processes(tmp_path)]


def _check_form(result: dict[str, Any]) -> None:
    assert {key: set(part) for key, part in result.items() if key != "expectations"} == {
        "siren_latency_ms": {"n", "p50", "p95", "p99", "max"},
        "events": {"journalled", "delivered", "lost", "duplicated"},
        "vision": {"fps", "cpu_percent"},
        "agent": {"rss_mb", "cpu_percent"},
    }
    assert all(set(expectation) == {"name", "ok", "detail"} for expectation in result["expectations"])


@pytest.mark.slow
@pytest.mark.server
async def test_the_whole_story_comes_true(tmp_path: Path) -> None:
    assert find_mosquitto(), "mosquitto is missing: apt-get install mosquitto (tools/test-servers does it)"
    out = tmp_path / "out.json"
    status, said = await _run(tmp_path, "--for", "50s", "--json", str(out), limit_s=110)
    assert out.exists(), said
    result = json.loads(out.read_text(encoding="utf-8"))
    _check_form(result)
    assert [one for one in result["expectations"] if one["ok"] is not True] == [], said
    assert status == 0, said
    assert result["siren_latency_ms"]["n"] >= 15
    assert result["events"]["lost"] == 0
    assert result["events"]["journalled"] == result["events"]["delivered"] > 100
    assert result["vision"]["fps"] >= 4
    assert 20 < result["agent"]["rss_mb"] < 200
    assert "mosquitto is gone" in said
    assert _left_behind(tmp_path) == []
    assert list(tmp_path.iterdir()) == [out]


@pytest.mark.slow
async def test_a_short_run_with_the_embedded_broker_says_what_it_left_out(tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    status, said = await _run(tmp_path, "--for", "26s", "--json", str(out), "--no-hmi", limit_s=70, embedded=True)
    outcomes = {one["name"]: one for one in json.loads(out.read_text(encoding="utf-8"))["expectations"]}
    assert status == 0, said
    assert "the demo's own broker" in said
    assert outcomes["gas_siren"]["ok"] is True
    assert outcomes["delivery"]["ok"] is True
    assert outcomes["backlog"] == {
        "name": "backlog",
        "ok": None,
        "detail": "not run: the backlog arrives complete and in order",
    }
    assert _left_behind(tmp_path) == []


async def _start(tmp_path: Path, *arguments: str, until: str) -> tuple[asyncio.subprocess.Process, str]:
    """Start the demo with its own broker and without a page, and wait until it says ``until``."""
    environment = {**_environment(), "TMPDIR": str(tmp_path), "COLUMNS": "160", EMBEDDED: "1", "PYTHONUNBUFFERED": "1"}
    process = await asyncio.create_subprocess_exec(
        *COMMAND,
        "--no-hmi",
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env=environment,
    )
    assert process.stdout is not None
    said = ""
    async with asyncio.timeout(40):
        while until not in said:
            line = (await process.stdout.readline()).decode()
            assert line, said
            said += line
    return process, said


async def _end(process: asyncio.subprocess.Process) -> str:
    assert process.stdout is not None
    async with asyncio.timeout(60):
        said = (await process.stdout.read()).decode()
        await process.wait()
    assert "Traceback" not in said
    return said


@pytest.mark.slow
async def test_ctrl_c_ends_it_with_the_summary(tmp_path: Path) -> None:
    process, _ = await _start(tmp_path, until="Gas rises")
    process.send_signal(signal.SIGINT)
    said = await _end(process)
    assert process.returncode == 0, said
    assert "Summary" in said
    assert list(tmp_path.iterdir()) == []
    assert _left_behind(tmp_path) == []


@pytest.mark.slow
async def test_a_daemon_that_dies_is_a_failure(tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    process, _ = await _start(tmp_path, "--for", "60s", "--json", str(out), until="Gas rises")
    os.kill(next(pid for pid, line in _processes(tmp_path) if "agent run" in line), signal.SIGKILL)
    said = await _end(process)
    outcomes = {one["name"]: one["ok"] for one in json.loads(out.read_text(encoding="utf-8"))["expectations"]}
    assert process.returncode == 1, said
    assert (outcomes["steady"], outcomes["gas_beacon"], outcomes["delivery"]) == (False, False, False)
    assert outcomes["backlog"] is None
    assert _left_behind(tmp_path) == []
