"""How the alarms treat their operators: the flood banner and the card of figures."""

from __future__ import annotations

from typing import Any

from nicegui import ui

from agent.hmi.texts import named, say
from agent.hmi.words import clock, span


def flood_text(kpi: dict[str, Any], language: str) -> str:
    """Return the words of the flood banner, none without a flood."""
    floods = kpi.get("floods") or []
    if not floods:
        return ""
    zones = [flood for flood in floods if flood["zone"]] or floods
    where = ", ".join(f"{each['zone'] or say('whole_area', language)}: {each['raised']}" for each in zones)
    return f"≋ {say('flood', language)} – {where} – {say('flood_rule', language)}"


def draw_figures(kpi: dict[str, Any], language: str) -> None:
    """Draw the card."""
    if not kpi:
        return
    with ui.card().classes("w-full gap-2"):
        crew = f"{say('crew', language)}: {kpi['crew']} · " if kpi["crew"] else ""
        ui.label(f"{crew}{say('raised_10min', language)}: {kpi['raised_10min']}").classes("text-lg")
        with ui.grid(columns="auto auto auto").classes("gap-x-8 gap-y-1 text-base"):
            ui.label("")
            for name in kpi["spans"]:
                ui.label(name).classes("dim")
            for title, words in _rows(list(kpi["spans"].values())):
                ui.label(say(title, language)).classes("dim")
                for text in words:
                    ui.label(text).classes("font-bold")
    with ui.card().classes("w-full gap-1"):
        ui.label(f"{say('top', language)} (24h)").classes("text-lg")
        for place, top in enumerate(kpi["spans"]["24h"]["top"], 1):
            ui.label(f"{place}.  {top['raised']} ×  {top['alarm']}  ({top['share']:.0%})").classes("text-base")
    for title in ("chattering", "stale"):
        if kpi[title]:
            _standing(say(f"{title}_now", language), kpi[title], language)


def _rows(spans: list[dict[str, Any]]) -> list[tuple[str, list[str]]]:
    return [
        ("raised", [str(each["raised"]) for each in spans]),
        ("rate", [f"{each['per_10min_average']:g} · {each['per_10min_peak']}" for each in spans]),
        ("mix", [" · ".join(f"{row['share']:.0%}" for row in each["by_priority"].values()) for each in spans]),
        ("answer", [_answers(each["acknowledge"]) for each in spans]),
        ("false", [f"{each['false_share']:.0%}" for each in spans]),
        ("in_flood", [f"{each['flood_share']:.1%}" for each in spans]),
    ]


def _answers(found: dict[str, Any]) -> str:
    return f"{span(found['median_s'])} · {span(found['p90_s'])}"


def _standing(title: str, rows: list[dict[str, Any]], language: str) -> None:
    with ui.card().classes("w-full gap-1"):
        ui.label(title).classes("text-lg")
        for row in rows[:20]:
            text = f"{row['priority']} {named(row['name'], language)} – {clock(row['raised_at'])}"
            ui.label(text).classes("text-base")
