"""The units, judged by systemd itself."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

UNITS = Path(__file__).parents[2] / "systemd"
LIMITS = {"anshao.service": 1.6, "anshao-hmi.service": 1.2}

pytestmark = pytest.mark.server


def installed(folder: Path) -> list[Path]:
    """Copy the units, with a program that exists on this machine in place of the installed one."""
    copies = []
    for unit in sorted(UNITS.glob("*.service")):
        text = unit.read_text(encoding="utf-8").replace("/opt/anshao/bin/anshao", sys.executable)
        text = re.sub(r"^Documentation=.*\n", "", text, flags=re.MULTILINE)  # its file comes with the installation
        copy = folder / unit.name
        copy.write_text(text, encoding="utf-8")
        copies.append(copy)
    return copies


def analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    assert shutil.which("systemd-analyze"), "systemd is missing: run tools/test-servers"
    return subprocess.run(["systemd-analyze", *arguments], capture_output=True, text=True, check=False)


def test_verify_has_nothing_to_say(tmp_path: Path) -> None:
    units = installed(tmp_path)
    assert {unit.name for unit in units} == set(LIMITS)
    done = analyze("verify", "--man=no", *map(str, units))
    complaints = [line for line in (done.stdout + done.stderr).splitlines() if "anshao" in line]
    assert (done.returncode, complaints) == (0, [])


@pytest.mark.parametrize("unit", sorted(LIMITS))
def test_exposure_is_within_its_limit(tmp_path: Path, unit: str) -> None:
    installed(tmp_path)
    done = analyze("security", "--offline=true", "--no-pager", str(tmp_path / unit))
    found = re.search(r"Overall exposure level for .*: (\d+\.\d+)", done.stdout)
    assert found, done.stdout + done.stderr
    assert float(found[1]) <= LIMITS[unit], done.stdout


def test_verify_would_find_a_mistake(tmp_path: Path) -> None:
    (unit, *_) = installed(tmp_path)
    unit.write_text(unit.read_text().replace("Restart=always", "Restart=allways"))
    done = analyze("verify", "--man=no", str(unit))
    assert "allways" in done.stderr


def test_the_agent_is_a_notifying_watched_service() -> None:
    text = (UNITS / "anshao.service").read_text(encoding="utf-8")
    for line in ("Type=notify", "WatchdogSec=10", "Restart=always", "StartLimitIntervalSec=0"):
        assert f"\n{line}\n" in text
    assert "ORT_DISABLE_TELEMETRY=1" in text
