"""The alarms that call, and those that do not; each with what can be done about it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from nicegui import ui

from agent.hmi.texts import named, say
from agent.hmi.words import COLOURS, REMOVED, SIGNS, called, clock, hazard, number, reason, state

Doer = Callable[[dict[str, Any], str], Callable[[], Any]]
"""Makes the handler of a button: (alarm, what) → handler."""
MOST_SHOWN = 60
_ROOM_FOR = 12
"""With more alarms than that the less urgent ones take one line each."""


def split(alarms: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the alarms that call, and those that are shelved, suppressed or out of service.

    Why an input is unknown changes all the time; only which it is shall draw the page anew.
    """
    still = [{**row, "unknown": [each.split(":")[0] for each in row["unknown"]]} for row in alarms]
    return [row for row in still if row["state"] not in REMOVED], [row for row in still if row["state"] in REMOVED]


def draw_alarms(rows: list[dict[str, Any]], language: str, doer: Doer) -> None:
    """Draw the alarms that call, most urgent first."""
    if not rows:
        ui.label(f"✓ {say('no_alarms', language)}").classes("text-2xl p-4")
    for alarm in rows[:MOST_SHOWN]:
        urgent = alarm["priority"] in ("P1", "P2")
        small = not urgent and (alarm["muted"] or len(rows) > _ROOM_FOR)
        (_draw_line if small else _draw_card)(alarm, language, doer)
    if len(rows) > MOST_SHOWN:
        ui.label(f"+ {len(rows) - MOST_SHOWN} {say('more', language)}").classes("text-xl p-2")


def draw_removed(rows: list[dict[str, Any]], language: str, doer: Doer) -> None:
    """Draw the alarms that call nobody: who, why, until when."""
    if not rows:
        ui.label(f"✓ {say('nothing_removed', language)}").classes("text-2xl p-4")
    for alarm in rows[:MOST_SHOWN]:
        with _framed(alarm, new=False), ui.row().classes("w-full items-center gap-3 alarm-head"):
            _sign(alarm, "text-xl")
            with ui.column().classes("grow gap-0"):
                ui.label(named(alarm["name"], language)).classes("text-xl font-bold")
                ui.label(_why(alarm, language)).classes("text-base")
                if told := hazard(alarm, language):
                    ui.label(told).classes("text-base")
                ui.label(alarm["id"]).classes("dim")
            if alarm["active"]:
                ui.badge(say("active_now", language), color="red-9").classes("text-base px-3 py-1")
            for key, what in (("shelved", "unshelve"), ("out_of_service", "bring_back")):
                if alarm[key]:
                    _button(say(what, language), doer(alarm, what)).mark(f"{what}-{alarm['id']}")
    if len(rows) > MOST_SHOWN:
        ui.label(f"+ {len(rows) - MOST_SHOWN}").classes("text-xl p-2")


def _draw_card(alarm: dict[str, Any], language: str, doer: Doer) -> None:
    new = alarm["state"] != "acknowledged"
    with _framed(alarm, new):
        with ui.row().classes("w-full items-center gap-3 alarm-head"):
            _sign(alarm, "text-2xl")
            ui.label(named(alarm["name"], language)).classes("text-2xl font-bold alarm-name grow")
            _acknowledge(alarm, language, doer, "lg")
            _menu(alarm, language, doer)
        with ui.row().classes("gap-x-4 gap-y-0 text-base items-center"):
            ui.label(state(alarm, language)).classes("font-bold")
            _value(alarm)
            ui.label(clock(alarm["raised_at"])).classes("dim")
            ui.label(alarm["id"]).classes("dim")
        if alarm["response"]:
            ui.label(f"➜ {named(alarm['response'], language)}").classes("text-lg")
        if told := hazard(alarm, language):
            ui.label(told).classes("text-base").mark(f"hazard-{alarm['id']}")
        if post := called(alarm, language):
            ui.label(post).classes("text-base" if "⇧" in post else "text-base dim")


def _draw_line(alarm: dict[str, Any], language: str, doer: Doer) -> None:
    new = alarm["state"] != "acknowledged"
    with _framed(alarm, new), ui.row().classes("w-full items-center gap-3 alarm-head"):
        _sign(alarm, "text-lg")
        name = ui.label(named(alarm["name"], language)).classes("text-lg font-bold alarm-name ellipsis")
        name.style("flex: 3 1 10rem; min-width: 0")
        ui.label(state(alarm, language)).classes("text-base ellipsis").style("flex: 2 1 0; min-width: 0")
        if alarm["hazard"]:
            ui.label(hazard(alarm, language)).classes("text-base ellipsis").style("flex: 2 1 0; min-width: 0")
        _value(alarm).classes("gt-md")
        ui.label(clock(alarm["raised_at"])).classes("dim gt-md").style("white-space: nowrap")
        _acknowledge(alarm, language, doer, "md")
        _menu(alarm, language, doer)


def _framed(alarm: dict[str, Any], new: bool) -> ui.card:
    card = ui.card().classes(f"w-full alarm py-2 gap-1 {'new' if new else ''}")
    return card.style(f"--colour: {COLOURS[alarm['priority']]}")


def _sign(alarm: dict[str, Any], size: str) -> None:
    sign = f"{SIGNS[alarm['priority']]} {alarm['priority']}"
    ui.label(sign).classes(f"{size} font-bold alarm-sign").style(
        f"color: {COLOURS[alarm['priority']]}; white-space: nowrap"
    )


def _value(alarm: dict[str, Any]) -> ui.label:
    known = alarm["value"] is not None and not isinstance(alarm["value"], bool)
    label = ui.label(f"{number(alarm['value'])} {alarm['unit']}" if known else "").style("white-space: nowrap")
    label.set_visibility(known)
    return label


def _acknowledge(alarm: dict[str, Any], language: str, doer: Doer, size: str) -> None:
    if alarm["state"] != "acknowledged" or (alarm["latched"] and alarm["active"]):
        button = _button(say("acknowledge", language), doer(alarm, "acknowledge")).props(f"color=primary size={size}")
        button.mark(f"ack-{alarm['id']}")


def _menu(alarm: dict[str, Any], language: str, doer: Doer) -> None:
    with (
        ui.button(icon="more_vert")
        .props(f'flat color=white dense aria-label="{say("more_actions", language)}"')
        .mark(f"menu-{alarm['id']}"),
        ui.menu(),
    ):
        if alarm["longest_shelf_s"]:
            ui.menu_item(f"{say('shelve', language)} …", on_click=doer(alarm, "shelve"))
        ui.menu_item(f"{say('take_out', language)} …", on_click=doer(alarm, "take_out"))
        ui.menu_item(say("picture", language), on_click=doer(alarm, "picture"))


def _button(text: str, handler: Callable[[], Any]) -> ui.button:
    return ui.button(text, on_click=handler).props("color=blue-grey-8").style("white-space: nowrap")


def _why(alarm: dict[str, Any], language: str) -> str:
    found = alarm["out_of_service"] or alarm["shelved"] or alarm["suppressed"]
    words = [say(alarm["state"], language), reason(found["reason"], language)]
    if found["by"]:
        second = f" {say('with', language)} {found['second']}" if found["second"] else ""
        words.append(f"{say('who', language)} {found['by']}{second}")
    ends = found["until"] and f"{say('until', language)} {datetime.fromisoformat(found['until']).astimezone():%H:%M}"
    if alarm["state"] != "suppressed-by-design" or ends:
        words.append(ends or say("no_end", language))
    return " · ".join(words)
