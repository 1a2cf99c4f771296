"""How many cores this process may use: what it is pinned to, and what its control groups grant (``CPUQuota=``)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_MOUNTED, _OWN = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")


def usable_cores(mounted: Path = _MOUNTED, own: Path = _OWN) -> float:
    """Return the cores that this process may use, more than 0.

    ``mounted`` is where the control groups are, version 1, 2 or both, and ``own`` says in which ones it is. The least
    of all that stand above it counts. What cannot be read limits nothing.
    """
    return min([float(len(os.sched_getaffinity(0))), *_quotas(mounted, own)])


def _quotas(mounted: Path, own: Path) -> Iterator[float]:
    """Yield what each group grants that has a limit."""
    for folder in _folders(mounted, own):
        for names in (("cpu.max",), ("cpu.cfs_quota_us", "cpu.cfs_period_us")):
            with suppress(OSError, ValueError):
                yield from _granted(" ".join((folder / name).read_text(encoding="ascii") for name in names))


def _granted(text: str) -> Iterator[float]:
    """Yield the cores of a quota and a period in microseconds; none for ``max`` and -1. Raises ValueError."""
    quota, period = text.split()
    if quota != "max" and int(quota) > 0 and int(period) > 0:
        yield int(quota) / int(period)


def _folders(mounted: Path, own: Path) -> Iterator[Path]:
    """Yield the folder of each group with a say on CPU, the innermost first; a container may see its own as the root.

    A line of ``own`` is ``number:controllers:path``; version 2 has no controllers, and version 1 a mount for them.
    """
    try:
        lines = own.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError):
        lines = []
    for line in lines:
        _, controllers, path = (*line.split(":", 2), "", "")[:3]
        roots = [mounted, mounted / "unified"] if not controllers else [mounted / controllers, mounted / "cpu"]
        if controllers and "cpu" not in controllers.split(","):
            continue
        inner = Path(path.lstrip("/"))
        for root in roots:
            yield from (root / part for part in (inner, *inner.parents) if ".." not in part.parts)
