"""``anshao check``: what an engineer sees before anything runs."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from agent.cli.main import app
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
