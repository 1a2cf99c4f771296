"""Run every benchmark, or those named: ``python -m benchmarks [latency rules …]``."""

from __future__ import annotations

import importlib
import json
import os
import platform
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.row import Row

ALL = (
    "rules",
    "journal",
    "drain",
    "drivers",
    "opcua",
    "flapping",
    "recording",
    "replay",
    "swap",
    "model_swap",
    "shadow",
    "vision",
    "engines",
    "cameras",
    "budget",
    "camera_alarm",
    "evidence",
    "trust",
    "idle",
    "latency",
    "kill_campaign",
    "fleet",
    "edge_campaign",
    "power_cut",
    "io_faults",
)
OUT = Path("build/bench.json")


def main(names: list[str]) -> int:
    """Return 1 if a goal was missed."""
    console = Console(width=150)
    found: list[Row] = []
    for name in names or list(ALL):
        console.print(f"[dim]running {name} …[/]")
        found.extend(importlib.import_module(f"benchmarks.{name}").rows())
    return report(found)


def report(found: list[Row]) -> int:
    """Print and save figures; return 1 if a goal was missed."""
    Console(width=150).print(_table(found))
    OUT.parent.mkdir(exist_ok=True)
    machine = {
        "cpu": platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "python": sys.version.split()[0],
    }
    OUT.write_text(json.dumps({"machine": machine, "rows": found}, indent=1, ensure_ascii=False))
    return 1 if any(row["met"] is False for row in found) else 0


def _table(rows: list[Row]) -> Table:
    table = Table("name", "value", "unit", "goal", "baseline", "ratio", "met", title="anshao benchmarks")
    for row in rows:
        met = {True: "[green]yes", False: "[red]no", None: ""}[row["met"]]
        cells = (row["name"], row["value"], row["unit"], row["goal"], row["baseline"], row["ratio"])
        table.add_row(*("" if cell is None else str(cell) for cell in cells), met)
    return table


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
