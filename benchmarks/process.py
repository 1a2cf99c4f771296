"""Processes that the benchmarks start, and what they use."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

_TICKS_S = os.sysconf("SC_CLK_TCK")


def free_port() -> int:
    """Return a TCP port that is free on loopback now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for_port(port: int, limit_s: float = 15.0) -> None:
    """Wait until somebody listens on ``port``."""
    deadline_s = time.monotonic() + limit_s
    while time.monotonic() < deadline_s:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise SystemExit(f"nobody listens on port {port}")


def mosquitto(folder: Path, port: int) -> subprocess.Popen[bytes]:
    """Start a broker that keeps its sessions over kill -9."""
    binary = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
    if not Path(binary).exists():
        raise SystemExit("mosquitto is missing: apt-get install mosquitto")
    lines = (
        f"listener {port} 127.0.0.1",
        "allow_anonymous true",
        "persistence true",
        f"persistence_location {folder}/",
        "autosave_interval 1",
        "autosave_on_changes true",
        "max_queued_messages 0",
        "user root",
    )
    config = folder / "mosquitto.conf"
    config.write_text("\n".join(lines) + "\n")
    return subprocess.Popen([binary, "-c", str(config)], stderr=subprocess.DEVNULL)


def cpu_s(pid: int) -> float:
    """Return the processor time that a process has used, in seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_S


def rss_mb(pid: int) -> float:
    """Return the resident memory of a process in MB."""
    line = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024
