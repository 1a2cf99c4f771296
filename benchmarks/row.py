"""One measured figure."""

from __future__ import annotations

from typing import TypedDict


class Row(TypedDict):
    """``baseline`` is measured in the same run; ``ratio`` is value ÷ baseline; ``met`` is None without a goal."""

    name: str
    value: float
    unit: str
    goal: str
    baseline: float | None
    ratio: float | None
    met: bool | None


def row(name: str, value: float, unit: str, *, most: float | None = None, least: float | None = None) -> Row:
    """Return a row with a goal on the value itself."""
    goal = f"<= {most:g}" if most is not None else f">= {least:g}" if least is not None else ""
    met = value <= most if most is not None else value >= least if least is not None else None
    return Row(name=name, value=round(value, 3), unit=unit, goal=goal, baseline=None, ratio=None, met=met)


def ratio_row(name: str, value: float, unit: str, baseline: float, least_ratio: float | None = None) -> Row:
    """Return a row beside a baseline that was measured in the same run; the goal, if any, is a share of it."""
    ratio = value / baseline if baseline else 0.0
    return Row(
        name=name,
        value=round(value, 3),
        unit=unit,
        goal=f">= {least_ratio:g} x baseline" if least_ratio is not None else "",
        baseline=round(baseline, 3),
        ratio=round(ratio, 3),
        met=ratio >= least_ratio if least_ratio is not None else None,
    )
