"""What processes cost, read from /proc."""

from __future__ import annotations

import os
import time
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


def rss_mb(pid: int) -> float | None:
    """Return resident memory in MB; None when the process is gone."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return None
    return next((round(int(line.split()[1]) / 1024, 1) for line in lines if line.startswith("VmRSS")), None)


class CpuMeter:
    """Mean use of one core, in percent, by a process and by its children, since ``start``."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._since_s = time.monotonic()
        self._own_s = _cpu_s(pid) or 0.0
        self._before = _children_cpu_s(pid)

    def own(self) -> float | None:
        """Return the use by the process itself; None when it is gone."""
        cpu_s = _cpu_s(self._pid)
        return None if cpu_s is None else self._percent(cpu_s - self._own_s)

    def children(self) -> float | None:
        """Return the use by its living children; None when there are none."""
        now = _children_cpu_s(self._pid)
        return self._percent(sum(cpu_s - self._before.get(pid, 0.0) for pid, cpu_s in now.items())) if now else None

    def _percent(self, cpu_s: float) -> float:
        return round(100 * cpu_s / max(time.monotonic() - self._since_s, 0.001), 1)


def _stat(pid: int) -> list[str] | None:
    """Return the fields of /proc/PID/stat after the name, which may hold blanks."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
    except OSError:
        return None


def _cpu_s(pid: int) -> float | None:
    fields = _stat(pid)
    return None if fields is None else (int(fields[11]) + int(fields[12])) / _TICKS


def _children_cpu_s(parent: int) -> dict[int, float]:
    found = {}
    for entry in Path("/proc").iterdir():
        fields = _stat(int(entry.name)) if entry.name.isdigit() else None
        if fields is not None and int(fields[1]) == parent:
            found[int(entry.name)] = (int(fields[11]) + int(fields[12])) / _TICKS
    return found
