"""The default budget of vision: what the service may use, not what the machine has."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from agent.cores import usable_cores

SERVICE = "system.slice/anshao.service"


@pytest.fixture(autouse=True)
def four_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2, 3})


def cores(folder: Path, own: str | bytes, **files: str) -> float:
    """Return what is found where ``files`` are the control groups; ``__`` in a name stands for a folder's end."""
    for name, text in files.items():
        path = folder / "cgroup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="ascii")
    (folder / "own").write_bytes(own.encode() if isinstance(own, str) else own)
    return usable_cores(folder / "cgroup", folder / "own")


def test_the_quota_of_the_service_counts(tmp_path: Path) -> None:
    files = {f"{SERVICE}/cpu.max": "150000 100000\n", "system.slice/cpu.max": "max 100000\n"}
    assert cores(tmp_path, f"0::/{SERVICE}\n", **files) == 1.5


def test_the_least_of_all_groups_above_counts(tmp_path: Path) -> None:
    files = {f"{SERVICE}/cpu.max": "300000 100000\n", "system.slice/cpu.max": "20000 40000\n"}
    assert cores(tmp_path, f"0::/{SERVICE}\n", **files) == 0.5


@pytest.mark.parametrize("controllers", ["cpu,cpuacct", "cpu"])
def test_version_1_counts_too(tmp_path: Path, controllers: str) -> None:
    group = f"{controllers}/{SERVICE}"
    files = {f"{group}/cpu.cfs_quota_us": "75000\n", f"{group}/cpu.cfs_period_us": "100000\n"}
    own = f"5:memory:/{SERVICE}\n4:{controllers}:/{SERVICE}\n1:name=systemd:/{SERVICE}\n0::/{SERVICE}\n"
    assert cores(tmp_path, own, **files) == 0.75


def test_a_container_that_sees_its_group_as_the_root_has_its_quota(tmp_path: Path) -> None:
    files = {"cpu.max": "200000 100000\n"}
    assert cores(tmp_path, "0::/\n", **files) == 2.0
    assert cores(tmp_path, "0::/../../docker/0123\n", **files) == 2.0  # as the host tells it
    assert cores(tmp_path, "0::/docker/0123\n", **files) == 2.0


def test_a_quota_above_what_it_is_pinned_to_adds_nothing(tmp_path: Path) -> None:
    assert cores(tmp_path, "0::/\n", **{"cpu.max": "1600000 100000\n"}) == 4.0


@pytest.mark.parametrize("text", ["max 100000\n", "", "max", "half 100000", "0 100000", "5 0", "1 2 3", "-1 100000"])
def test_no_limit_or_none_that_can_be_read_limits_nothing(tmp_path: Path, text: str) -> None:
    assert cores(tmp_path, "0::/\n", **{"cpu.max": text, "cpu/cpu.cfs_quota_us": "-1\n"}) == 4.0


@pytest.mark.parametrize("own", ["", "nonsense", "0::", b"\xff\xfe:\n", "4:cpu:/gone\n0::/gone/too\n"])
def test_groups_that_are_not_there_limit_nothing(tmp_path: Path, own: str | bytes) -> None:
    assert cores(tmp_path, own) == 4.0
    assert usable_cores(tmp_path / "none", tmp_path / "neither") == 4.0
