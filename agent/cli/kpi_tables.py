"""Figures and removed alarms, as tables for people."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from agent.cli.tables import age, in_language, keep_whole


def removed(found: list[dict[str, Any]], language: str) -> Table | Text:
    """Draw the alarms that call nobody."""
    if not found:
        return Text("every alarm is in service, none is shelved or suppressed", style="green")
    table = Table("", "alarm", "state, until", "why, by", box=None, header_style="dim")
    keep_whole(table, 1, [row["id"] for row in found])
    keep_whole(table, 2, [row["state"] for row in found])
    for row in found:
        who = row["by"] + (f" with {row['second']}" if row["second"] else "")
        state = "\n".join((row["state"], *["(ACTIVE)"] * row["active"], _until(row)))
        what = f"{row['id']}\n{in_language(row['name'], language)}"
        table.add_row(
            row["priority"], what, state, f"{row['reason']}\n{who}", style="bold red" if row["active"] else ""
        )
    return table


def kpi(found: dict[str, Any], language: str) -> Group:
    """Draw the figures of the last day and month."""
    parts: list[RenderableType] = [_now(found), _spans(found["spans"]), _top(found["spans"])]
    for title, rows in (("chattering", found["chattering"]), ("stale: standing for more than a day", found["stale"])):
        if rows:
            parts.append(Text(f"\n{title}", style="bold"))
            parts += [Text(f"  {row['priority']} {row['id']}  {in_language(row['name'], language)}") for row in rows]
    if found["removed"]:
        parts += [Text("\ncalling nobody", style="bold"), removed(found["removed"], language)]
    return Group(*parts)


def _now(found: dict[str, Any]) -> Text:
    floods = ", ".join(f"{row['zone'] or 'the area'} ({row['raised']} alarms so far)" for row in found["floods"])
    crew = f"crew on duty: {found['crew']}\n" if found["crew"] else ""
    flood = f"FLOOD: {floods}" if floods else "no flood"
    text = f"{crew}raised in the last 10 min: {found['raised_10min']}   {flood}\n"
    return Text(text, style="bold red" if floods else "")


def _spans(spans: dict[str, Any]) -> Table:
    table = Table("", *spans, box=None, header_style="dim")
    for rows in zip(*(_figures(span) for span in spans.values()), strict=True):
        table.add_row(rows[0][0], *(words for _, words in rows))
    return table


def _figures(span: dict[str, Any]) -> list[tuple[str, str]]:
    priorities = span["by_priority"].items()
    return [
        ("known of it", age(span["observed_s"])),
        ("alarms raised", str(span["raised"])),
        ("per 10 min: average, peak", f"{span['per_10min_average']:g}, {span['per_10min_peak']}"),
        ("P1 / P2 / P3 / P4", " / ".join(f"{row['share']:.0%}" for _, row in priorities)),
        ("to acknowledge: median, 90 %", _answers(span["acknowledge"])),
        *((f"  {name}", _answers(row["acknowledge"])) for name, row in priorities),
        ("said to be false", _false(span)),
        ("in flood", f"{span['flood_share']:.1%}"),
    ]


def _false(span: dict[str, Any]) -> str:
    worst = ", ".join(f"{row['alarm']} {row['said']} ×" for row in span["false"][:3])
    return f"{span['false_share']:.0%}" + (f" ({worst})" if worst else "")


def _top(spans: dict[str, Any]) -> Table:
    table = Table("\ntop ten", *(f"\n{name}" for name in spans), box=None, header_style="dim")
    for place in range(max(len(span["top"]) for span in spans.values())):
        tops = [span["top"][place] if place < len(span["top"]) else None for span in spans.values()]
        table.add_row(str(place + 1), *(f"{top['raised']} × {top['alarm']}" if top else "" for top in tops))
    return table


def _answers(found: dict[str, Any]) -> str:
    return f"{age(found['median_s'])}, {age(found['p90_s'])}" if found["count"] else "–"


def _until(row: dict[str, Any]) -> str:
    if row["until"] is None:
        return "its reason ends" if row["state"].startswith("suppressed") else "somebody ends it"
    left_s = (datetime.fromisoformat(row["until"]) - datetime.now(UTC)).total_seconds()
    return f"for {age(max(left_s, 0.0))}"
