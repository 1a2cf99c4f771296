"""``anshao check``: what an engineer sees before anything runs."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest
from typer.testing import CliRunner, Result

from agent.cli import check as checking
from agent.cli.main import app
from agent.core.clock import SystemClock
from agent.core.model import PointInfo, Sample
from agent.core.ports import Driver
from tests.servers.process import HERE, Server, free_port

SITE = """
gateway: {{id: hall-3, site: works}}
rules: [rules.yaml]
devices:
  plc:
    protocol: modbus-tcp
    host: 127.0.0.1
    port: {port}
    points:
      seven: {{address: 40008, unit: bar}}
      beyond: {{address: 40950}}
  gone:
    protocol: opcua
    endpoint: opc.tcp://127.0.0.1:1/nobody
    security: none
    points:
      speed: {{node: "ns=1;s=Speed"}}
"""
RULES = "rules:\n  - {id: seven, kind: level, input: plc.seven, name: Seven, limits: {H: {at: 9, priority: P3}}}\n"


def check(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["check", *arguments])


@pytest.fixture
def server() -> Iterator[Server]:
    port = free_port()
    server = Server(["node", str(HERE / "modbus_serial.js"), str(port)], port)
    server.start()
    yield server
    server.kill()


def write(folder: Path, port: int, rules: str = RULES) -> str:
    (folder / "rules.yaml").write_text(rules)
    (folder / "site.yaml").write_text(SITE.format(port=port))
    return str(folder / "site.yaml")


def test_a_site_without_faults(tmp_path: Path) -> None:
    done = check(write(tmp_path, 502))
    assert done.exit_code == 0 and "no faults. hall-3 gateway, 2 devices, 3 points" in done.stdout


def test_faults_of_site_and_rules_come_together(tmp_path: Path) -> None:
    site = write(tmp_path, 502, RULES.replace("P3", "P9"))
    Path(site).write_text(Path(site).read_text().replace("unit: bar", "units: bar"))
    done = check(site)
    assert done.exit_code == 1 and done.stdout == ""
    lines = done.stderr.replace(f"{tmp_path}/", "").splitlines()
    assert lines == [
        "rules.yaml:2:91: 'P9' is not a priority; write P1 (most urgent), P2, P3 or P4",
        "site.yaml:10:31: unknown key 'units'; did you mean 'unit'?",
        "2 fault(s)",
    ]
    found = json.loads(check(site, "--json").stdout)["faults"]
    assert [fault["line"] for fault in found] == [2, 10]


@pytest.mark.server
def test_connect_reads_each_point_once_and_a_dead_device_is_a_row(tmp_path: Path, server: Server) -> None:
    done = check(write(tmp_path, server.port), "--connect", "--json")
    assert done.exit_code == 2, done.stderr
    rows = {row["point"]: row for row in json.loads(done.stdout)}
    assert (rows["plc.seven"]["value"], rows["plc.seven"]["unit"], rows["plc.seven"]["quality"]) == (7, "bar", "good")
    assert 0 < rows["plc.seven"]["latency_ms"] < 1000
    assert "illegal data address" in rows["plc.beyond"]["reason"]
    assert rows["gone.speed"]["quality"] == "bad" and "127.0.0.1:1" in rows["gone.speed"]["reason"]
    command = [sys.executable, "-m", "agent", "check", write(tmp_path, server.port), "--connect"]
    table = subprocess.run(command, capture_output=True, text=True, check=False)
    assert table.returncode == 2 and "plc.seven" in table.stdout and "Traceback" not in table.stderr


@pytest.mark.server
@pytest.mark.parametrize(("register", "is_on"), [(40001, False), (40002, True)])
def test_connect_tells_of_a_module_whose_watchdog_is_off(
    tmp_path: Path, server: Server, register: int, is_on: bool
) -> None:
    site = Path(write(tmp_path, server.port))
    (tmp_path / "io.yaml").write_text(f"name: Mine\nsource: a test\nwatchdog: {{address: {register}}}\n")
    text = site.read_text().partition("      beyond")[0]
    site.write_text(text.replace("    points:", "    module: io.yaml\n    points:"))
    done = check(str(site), "--connect", "--json")
    found = {each["point"]: each for each in json.loads(done.stdout)}
    assert done.exit_code == (0 if is_on else 2), done.stderr
    assert found["plc.watchdog_ok"]["value"] is is_on and found["plc.seven"]["value"] == 7
    assert ("watchdog is off" in found["plc.watchdog_ok"]["reason"]) is not is_on


class _Camera:
    """A camera, and its session: tells these batches of ``gate.camera_ok`` and ``gate.persons``, then nothing."""

    points = (PointInfo("gate.camera_ok"), PointInfo("gate.persons"))

    def __init__(self, *batches: tuple[Sample, Sample]) -> None:
        self.batches = list(batches)

    async def connect(self) -> _Camera:
        return self

    async def read(self) -> tuple[Sample, Sample]:
        if not self.batches:
            await asyncio.sleep(3600)
        return self.batches.pop(0)

    async def close(self) -> None:
        """Nothing to close."""


async def _told(monkeypatch: pytest.MonkeyPatch, *batches: tuple[Sample, Sample]) -> list[tuple[object, str]]:
    monkeypatch.setattr(checking, "_CAMERA_LIMIT_S", 0.1)
    readings = await checking._read_camera(cast(Driver, _Camera(*batches)), {})
    return [(each.value, each.reason) for each in readings]


async def test_connect_waits_until_a_camera_tells_of_people(monkeypatch: pytest.MonkeyPatch) -> None:
    now = SystemClock().now()
    sees = Sample.good("gate.camera_ok", True, now)
    first = (sees, Sample.bad("gate.persons", "camera blind: it has looked for 0.0 s", now))
    told = await _told(monkeypatch, first, (sees, Sample.good("gate.persons", 3, now)))
    assert told == [(True, ""), (3, "")]


async def test_connect_says_why_a_camera_does_not_see(monkeypatch: pytest.MonkeyPatch) -> None:
    now = SystemClock().now()
    why = "camera blind: gate.mp4: there is no such file"
    is_not = Sample.good("gate.camera_ok", False, now)
    blind = (is_not, Sample.bad("gate.persons", why, now))
    assert await _told(monkeypatch, blind) == [(False, ""), (None, why)]
    assert await _told(monkeypatch) == [(None, "no picture within 0.1 s")] * 2
