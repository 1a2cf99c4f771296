"""The result of a run: as a table for people, as JSON for programs."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from agent.demo.checks import Expectation
from agent.demo.delivery import Tally


@dataclass(frozen=True)
class Result:
    """Everything that a run found out; what could not be measured is None."""

    expectations: Sequence[Expectation]
    raised: int
    latencies_ms: Sequence[float]
    events: Tally | None
    fps: float | None
    vision_cpu_percent: float | None
    rss_mb: float | None
    agent_cpu_percent: float | None

    def as_json(self) -> dict[str, Any]:
        """Return the result in the form that the file has."""
        nothing = dict.fromkeys(("journalled", "delivered", "lost", "duplicated"))
        return {
            "expectations": [asdict(expectation) for expectation in self.expectations],
            "siren_latency_ms": latency(self.latencies_ms),
            "events": asdict(self.events) if self.events else nothing,
            "vision": {"fps": self.fps, "cpu_percent": self.vision_cpu_percent},
            "agent": {"rss_mb": self.rss_mb, "cpu_percent": self.agent_cpu_percent},
        }


def percentile(values: Sequence[float], percent: float) -> float | None:
    """Return the smallest value that ``percent`` of all do not exceed (nearest rank); None of nothing."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)] if ordered else None


def latency(values_ms: Sequence[float]) -> dict[str, float | int | None]:
    """Return count, percentiles and the largest of latencies in ms."""
    found = {f"p{percent}": percentile(values_ms, percent) for percent in (50, 95, 99)} | {
        "max": max(values_ms, default=None)
    }
    rounded = {name: None if value is None else round(value, 1) for name, value in found.items()}
    return {"n": len(values_ms), **rounded}


def write_json(path: Path, result: Result) -> None:
    """Write the result. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(result.as_json(), ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


def show(console: Console, result: Result) -> None:
    """Print the expectations and the figures."""
    console.print()
    console.print(_expectations(result.expectations))
    console.print(_figures(result))


def _expectations(expectations: Sequence[Expectation]) -> Table:
    table = Table(title="What had to happen", title_justify="left", title_style="bold")
    table.add_column("")
    table.add_column("expectation")
    table.add_column("what was seen")
    marks = {True: "[green]ok[/]", False: "[bold red]FAILED[/]", None: "[yellow]not run[/]"}
    for each in expectations:
        table.add_row(marks[each.ok], each.name, each.detail)
    return table


def _figures(result: Result) -> Table:
    table = Table(title="Summary", title_justify="left", title_style="bold", show_header=False)
    table.add_column("what")
    table.add_column("how much", justify="right")
    times = latency(result.latencies_ms)
    table.add_row("alarms raised", str(result.raised))
    table.add_row("change in the PLC to siren, times measured", str(times["n"]))
    table.add_row(
        "  p50 / p95 / p99 / max", " / ".join(_shown(times[key]) for key in ("p50", "p95", "p99", "max")) + " ms"
    )
    for name, count in (asdict(result.events) if result.events else {}).items():
        table.add_row(f"events {name}", str(count))
    table.add_row("camera, frames per second", _shown(result.fps))
    table.add_row("vision worker, of one core", f"{_shown(result.vision_cpu_percent)} %")
    table.add_row("daemon, of one core", f"{_shown(result.agent_cpu_percent)} %")
    table.add_row("daemon, resident memory", f"{_shown(result.rss_mb)} MB")
    return table


def _shown(value: float | None) -> str:
    return "–" if value is None else f"{value:g}"
